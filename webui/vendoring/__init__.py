"""Brings other people's files for the browser into `webui/static/vendor`: `make vendor`."""
