"""The handset bridge: delay, drift and glitches. ``python bench/bridge.py [--seconds 600] [--hours 1] [--ppm 200]``

Two parts: two crystals 200 ppm apart on a virtual clock, and a simulated module with a PulseAudio handset in real time.
From device to device, on a kernel of its own: hil-tests/suite/test_bridge_delay.py.
"""

from __future__ import annotations

import argparse
import heapq
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from firmware.audio.bridge import PERIOD_FRAMES, RATE_HZ, Bridge
from firmware.audio.jitter import JitterBuffer
from firmware.clock import SystemClock
from firmware.errors import AudioDeviceError
from firmware.events import Answered, LineUp, Ring
from firmware.model import LineId
from firmware.modem.driver import AtModemLine, AtModemOptions
from firmware.modem.pcm_source import PcmSource
from firmware.service import SWITCH_S
from simulator.sim_module import Quirks, SimModule
from simulator.sound import SoundStreet

GOAL_MS = 60
sys.setswitchinterval(SWITCH_S)  # as in the recorder
LATE_MS = 15
"""The buffer's play: what comes later than that may find it empty."""
NEAR_S = 0.5
FRAME = 160


def virtual(hours: float, ppm: float, *, put: int, take: int) -> None:
    """Two devices whose crystals differ, both served by threads that are up to 3 ms late."""
    rng, buffer = random.Random(1), JitterBuffer()
    give_s, take_s = put / RATE_HZ / (1 + ppm / 1e6), take / RATE_HZ
    queue, counts, longest_s, sound = [(0.0, 0), (0.005, 1)], [0, 0], 0.0, np.ones(put, np.int16)
    while queue[0][0] < hours * 3600:
        now_s, who = heapq.heappop(queue)
        counts[who] += 1
        if who == 0:
            buffer.put(sound, now_s)
            due_s = counts[0] * give_s
        else:
            buffer.take(take, now_s)
            due_s = 0.005 + counts[1] * take_s
            longest_s = max(longest_s, buffer.length_s(now_s)) if now_s > 10 else 0.0
        heapq.heappush(queue, (max(now_s, due_s + rng.random() * 0.003), who))
    print(
        f"  {ppm:+5.0f} ppm, {put * 1000 // RATE_HZ} ms in, {take * 1000 // RATE_HZ} ms out, {hours:g} h: "
        f"{buffer.underruns} under-runs, {buffer.dropped_frames} frames dropped, longest {longest_s * 1000:.1f} ms "
        f"(goal {GOAL_MS}), correction {buffer.correction_ppm:+.0f} ppm"
    )


class Witness:
    """A process that only sleeps, at this one's priority: when it wakes late, the machine had no time for anybody."""

    SCRIPT = """
import sys, time
due = time.monotonic()
while True:
    due += 0.01
    time.sleep(max(0.0, due - time.monotonic()))
    late = (time.monotonic() - due) * 1000
    if late > float(sys.argv[1]):
        print(time.monotonic(), late, flush=True)
        due = time.monotonic()
"""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", self.SCRIPT, str(LATE_MS)], stdout=subprocess.PIPE, text=True
        )

    def close(self) -> list[tuple[float, float]]:
        """When it woke late (seconds of time.monotonic()), and by how many ms."""
        self._process.terminate()
        told, _ = self._process.communicate(timeout=10)
        return [
            (float(line.split()[0]), float(line.split()[1])) for line in told.splitlines() if len(line.split()) == 2
        ]


def share_priority() -> None:
    """Gives the sound servers this process's priority: PulseAudio goes back to an ordinary one when it starts.

    Without that, on a busy machine, the handset's device stands still now and then, and what is measured is that.
    """
    policy, parameters, nice = os.sched_getscheduler(0), os.sched_getparam(0), os.getpriority(os.PRIO_PROCESS, 0)
    for children in Path("/proc/self/task").glob("*/children"):
        for child in children.read_text().split():
            for task in Path(f"/proc/{child}/task").iterdir():
                os.sched_setscheduler(int(task.name), policy, parameters)
                os.setpriority(os.PRIO_PROCESS, int(task.name), nice)


class Ear:
    """An event sink that can be waited on."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._changed = threading.Condition()

    def __call__(self, event: object, /) -> None:
        with self._changed:
            self._seen.add(type(event).__name__)
            self._changed.notify_all()

    def wait(self, kind: type) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: kind.__name__ in self._seen, 20):
                raise SystemExit(f"no {kind.__name__} came")


def real(seconds: float, ppm: float) -> None:
    """One call on a simulated module with a handset on two null sinks; sampled ten times a second.

    The module's crystal runs ``ppm`` faster than the handset's.
    """
    witness = Witness()
    folder = Path(tempfile.mkdtemp(prefix="bridge-"))
    street = SoundStreet(folder / "sound", ("handset-mic", "handset"))
    street.start()
    share_priority()
    sink = Ear()
    with SimModule("sim-1", folder, Quirks(boot_s=0.1, crystal_ppm=ppm)) as module:
        options = AtModemOptions(
            at_port=str(module.at_path), audio_port=str(module.pcm_path),
            handset_capture="street_handset_mic", handset_playback="street_handset_feed",
        )  # fmt: skip
        driver = AtModemLine(LineId("sim-1"), options, sink, SystemClock())
        driver.start()
        source = driver.audio_source()
        assert isinstance(source, PcmSource)
        source.open()
        stop = threading.Event()

        def read() -> None:
            while not stop.is_set():
                try:
                    source.read()
                except AudioDeviceError:
                    return

        reader = threading.Thread(target=read)
        reader.start()
        sink.wait(LineUp)
        module.incoming("+8613800138000")
        sink.wait(Ring)
        driver.answer()
        sink.wait(Answered)
        noise = np.random.default_rng(1).normal(0, 3000, round((seconds + 10) * RATE_HZ))
        module.downlink(noise.astype("<i2").tobytes())
        street.wires["handset-mic"].mixer.play((noise / 32768).astype(np.float32))
        time.sleep(3)
        bridge: Bridge | None = source.handset
        assert bridge is not None
        lengths: tuple[list[float], list[float]] = ([], [])
        begin = bridge.health
        empty: list[float] = []
        known = sum(health.underruns for health in begin)
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            for one, health in zip(lengths, bridge.health, strict=True):
                one.append(health.length_ms)
            now = sum(health.underruns for health in bridge.health)
            empty += [time.monotonic()] * (now - known)
            known = now
            time.sleep(0.1)
        late = witness.close()
        for name, first, last, one in zip(
            ("to the earpiece", "from the mic"), begin, bridge.health, lengths, strict=True
        ):
            p50, p99 = np.percentile(one, [50, 99])
            print(
                f"  {name}: delay p50 {p50:.1f} ms, p99 {p99:.1f} ms, max {max(one):.1f} ms (goal {GOAL_MS}); "
                f"{last.underruns - first.underruns} under-runs, {last.dropped_frames - first.dropped_frames} frames "
                f"dropped, {last.device_glitches - first.device_glitches} device glitches in {seconds:g} s; "
                f"correction {last.correction_ppm:+.0f} ppm"
            )
        excused = sum(any(-0.2 < at - moment < NEAR_S for moment, _ in late) for at in empty)
        print(
            f"  the machine: a process that only sleeps woke more than {LATE_MS} ms late {len(late)} times, by "
            f"{max((ms for _, ms in late), default=0):.0f} ms at most; {excused} of {len(empty)} under-runs came "
            f"within {NEAR_S} s of that; load {os.getloadavg()[0]:.1f}"
        )
        if empty:
            print(f"  under-runs after {', '.join(f'{at - end_s + seconds:.1f}' for at in empty)} s")
        stop.set()
        reader.join(5)
        source.close()
        driver.stop()
    street.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--ppm", type=float, default=200.0)
    arguments = parser.parse_args()
    print("Two crystals, virtual clock:")
    for ppm in (arguments.ppm, -arguments.ppm):
        virtual(arguments.hours, ppm, put=FRAME, take=PERIOD_FRAMES)
        virtual(arguments.hours, ppm, put=PERIOD_FRAMES, take=FRAME)
    print(f"A simulated module {arguments.ppm:+g} ppm off a PulseAudio handset, {arguments.seconds:g} s in real time:")
    real(arguments.seconds, arguments.ppm)


if __name__ == "__main__":
    main()
