"""Who may use the page: users, sessions and the first-run code, kept in web.db."""
