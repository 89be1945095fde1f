"""Benches: what stands between the suite and the world outside the box."""
