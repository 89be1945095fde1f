"""Sound: sources, the crash-safe recorder, sealing and recovery."""
