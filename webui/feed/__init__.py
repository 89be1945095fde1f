"""From one subscription to the recorder to all open pages."""
