"""Loaded by every Python process of the guest: its threads take turns every 50 ms, not every 5.

In User-Mode Linux a change of thread costs 1 to 5 ms, a hundred times what it costs on a Pi: with Python's own interval
a process with ten threads does little else than take turns, and its sound overruns.
"""

import sys

sys.setswitchinterval(0.05)
