"""The way of calls and recordings to the cloud."""
