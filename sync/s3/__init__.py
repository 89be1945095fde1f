"""Recordings into a bucket: a child process of its own uploads, so that its libraries leave the memory with it."""
