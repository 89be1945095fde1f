"""Finding calls: an index of the page's own beside the database, and the filters of the call list."""
