"""The measured process of bench/record.py: our recorder on N lines. Orders come on stdin, answers go to stdout."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from firmware.audio.alsa_source import AlsaSource
from firmware.audio.recorder import SoundRecorder
from firmware.clock import SystemClock, boot_id
from firmware.effects import StartRecording, StopRecording
from firmware.model import LineId, call_id, recording_id
from firmware.ports import GapCause, RecorderEvent, RecordingClosed, RecordingSealed, SoundBack, SoundLost


def main() -> None:
    lines, folder = int(sys.argv[1]), Path(sys.argv[2])
    clock = SystemClock()
    events: list[RecorderEvent] = []

    def sink(event: object) -> None:
        if isinstance(event, SoundBack | SoundLost | RecordingClosed | RecordingSealed):
            events.append(event)
        if isinstance(event, RecordingSealed):
            recorder.confirm(event.recording)

    def count(kind: type[RecorderEvent]) -> int:
        return sum(isinstance(event, kind) for event in events)

    def wait(kind: type[RecorderEvent], within_s: float) -> None:
        end = time.monotonic() + within_s
        while count(kind) < lines and time.monotonic() < end:
            time.sleep(0.1)

    recorder = SoundRecorder(sink, clock, folder, boot_id())
    names = [LineId(f"bench-{n}") for n in range(lines)]
    for n, line in enumerate(names):
        recorder.add_line(line, AlsaSource(f"line:{n}"), 0.0)
    wait(SoundBack, 30.0)
    now = clock.now()
    calls = {line: call_id(line, now) for line in names}
    for line, call in calls.items():
        recorder.start(
            StartRecording(recording=recording_id(call, 1), call=call, line=line, part=1, at=now, preroll_s=0.0)
        )
    print(json.dumps({"up": count(SoundBack)}), flush=True)
    sys.stdin.readline()
    now = clock.now()
    for line, call in calls.items():
        recorder.stop(StopRecording(recording=recording_id(call, 1), line=line, at=now))
    wait(RecordingClosed, 15.0)
    closed = [event for event in events if isinstance(event, RecordingClosed)]
    print(
        json.dumps(
            {
                "frames": [event.frames for event in closed],
                "overruns": sum(gap.cause is GapCause.OVERRUN for event in closed for gap in event.gaps),
                "gaps": sum(len(event.gaps) for event in closed),
                "lost": count(SoundLost),
            }
        ),
        flush=True,
    )
    cpu_s = time.process_time()
    wait(RecordingSealed, 300.0)
    print(json.dumps({"seal_cpu_s": time.process_time() - cpu_s, "sealed": count(RecordingSealed)}), flush=True)
    recorder.close(10.0)


if __name__ == "__main__":
    main()
