"""SIM modules and voice modems that speak AT commands."""
