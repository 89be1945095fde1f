"""A day of traffic through every detector of a line: does their memory grow, and what do they cost?

bench/detectors_day.py            2 hours of one line's sound, about half a minute
bench/detectors_day.py --hours 24 the whole day; what docs/measurements.md has
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

from firmware.analog.sound_hook import SoundHook  # noqa: E402
from firmware.effects import Hearing, ListenFor  # noqa: E402
from firmware.model import Instant, LineId  # noqa: E402
from firmware.ports import Block  # noqa: E402
from firmware.signals.countries import profile_of  # noqa: E402
from firmware.signals.listener import AnalogListener  # noqa: E402
from simulator.line_script import LineScript  # noqa: E402
from simulator.networks import NETWORKS  # noqa: E402

LINE = LineId("fxo-1")
_BLOCK = 2000
_GOAL_MIB = 2.0
"""From the end of the first hour on; the interpreter's own pools wander by that."""


def traffic() -> tuple[np.ndarray, list[tuple[float, Hearing]]]:
    """Some minutes of a line: a missed call, an answered one, an outgoing one, and what is listened for when."""
    script, orders = LineScript(NETWORKS["US"], seed=4), []
    script.rest(5)
    for answered in (False, True):
        orders.append((script.now_s, Hearing.CALLER_ID))
        script.rings(2, "2125550199").rest(0.4)
        if answered:
            script.lifts()
            orders.append((script.now_s, Hearing.TONES))
            script.talks(60).far_end_leaves("busy").rest(2).hangs_up()
        orders.append((script.now_s + 6, Hearing.NOTHING))
        script.rest(20)
    script.lifts()
    orders.append((script.now_s, Hearing.PROGRESS))
    script.dials("2125550100").rings_back("US").talks(40).far_end_leaves("dial").hangs_up()
    orders.append((script.now_s, Hearing.NOTHING))
    script.rest(60)
    return script.pcm(), orders


def resident_mib() -> float:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=2.0)
    hours = parser.parse_args().hours
    pcm, orders = traffic()
    listener, hook = AnalogListener(LINE, country=profile_of("US"), estimate_answer=True), SoundHook()
    at, start, events, rounds = Instant(10**12, 10**18), Instant(10**12, 10**18), 0, 0
    first_mib = None
    cpu_s, next_h = time.process_time(), 1.0
    while (done_s := at.seconds_since(start)) < hours * 3600:
        waiting = list(orders)
        for n in range(0, len(pcm) - _BLOCK, _BLOCK):
            while waiting and waiting[0][0] <= n / 8000:
                listener.order(ListenFor(line=LINE, what=waiting.pop(0)[1], at=at))
            piece = pcm[n : n + _BLOCK]
            events += len(listener.hear(Block(pcm=piece.tobytes(), frames=len(piece), at=at)))
            hook.hear(piece, at)
            at = at.plus_s(_BLOCK / 8000)
        rounds += 1
        if done_s / 3600 >= next_h:
            mib = resident_mib()
            first_mib = mib if first_mib is None else first_mib
            print(f"{done_s / 3600:5.1f} h: {mib:.1f} MiB resident, {events} events", flush=True)
            next_h += 1.0
    used_ms = 1000 * (time.process_time() - cpu_s) / at.seconds_since(start)
    grown = resident_mib() - (first_mib or 0.0)
    print(
        f"{at.seconds_since(start) / 3600:.1f} h of sound, {3 * rounds} calls, {used_ms:.2f} ms of CPU per second of it"
    )
    verdict = "met" if grown <= _GOAL_MIB else "NOT met"
    print(f"grown by {grown:+.1f} MiB since the first hour; goal: at most {_GOAL_MIB:g} MiB: {verdict}")
    if grown > _GOAL_MIB:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
