"""The catalogues of the page, and the two steps that bring them up to date."""
