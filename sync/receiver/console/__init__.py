"""What the operator sees in a browser: boxes, calls, recordings and alarms, nothing to change."""
