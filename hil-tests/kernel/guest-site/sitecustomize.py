"""Loaded by every Python process of the guest: its threads take turns every 50 ms, whatever shorter time they ask for.

In User-Mode Linux a change of thread costs 1 to 5 ms, a hundred times what it costs on a Pi: with Python's own interval
(5 ms) or the recorder's (1 ms) a process with ten threads does little else than take turns, and its sound overruns.
"""

import sys

SHORTEST_S = 0.05
_set = sys.setswitchinterval


def _at_least(interval: float, /) -> None:
    _set(max(interval, SHORTEST_S))


sys.setswitchinterval = _at_least
sys.setswitchinterval(0.0)
