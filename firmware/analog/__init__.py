"""Drivers for analog telephone lines."""
