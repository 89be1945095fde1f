"""The page: live lines, the call list and its player, behind a login."""
