"""`make security`: others' tools against the whole page, each first against a page with holes that it has to find."""
