"""Webhooks: what happens on the box, told to addresses of the settings as Standard Webhooks describe it."""
