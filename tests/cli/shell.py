"""The command line as a shell runs it, on data folders that the box's own store wrote."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from firmware.effects import Account, SaveCall
from firmware.model import (
    Call,
    CallStatus,
    ChannelRole,
    Direction,
    EndReason,
    Instant,
    LineId,
    Outcome,
    Presentation,
    call_id,
    recording_id,
)
from firmware.ports import (
    ChannelLevels,
    Gap,
    GapCause,
    RecordingClosed,
    RecordingOpened,
    RecordingSealed,
    SealedFile,
)

ROOT = Path(__file__).resolve().parents[2]
START = Instant(boot_ns=100_000_000_000, utc_ns=1_795_000_000_000_000_000)  # 2026-11-18 19:06:40 in Shanghai
LINE = LineId("fxo-1")


class StillClock:
    def now(self) -> Instant:
        return START.plus_s(3600)


@dataclass
class Shell:
    """Runs ``offhook`` in a process of its own."""

    data: Path
    run_dir: Path

    def __call__(self, *words: object, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "cli.main", *map(str, words)],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=ROOT,
            env={
                **os.environ,
                "OFFHOOK_DATA": str(self.data),
                "OFFHOOK_RUN": str(self.run_dir),
                "LC_ALL": "C.UTF-8",
                **environment,
            },
        )

    def json(self, *words: object) -> Any:
        return json.loads(self(*words, "--json").stdout)


def answered_call(data: Path, at_s: float = 0.0, **changes: Any) -> list[Any]:
    """The facts of a recorded call, and its FLAC on the disk."""
    started = START.plus_s(at_s)
    line = changes.pop("line", LINE)
    call = call_id(line, started)
    recording = recording_id(call, 1)
    flac = data / "recordings/2026/11/18" / f"{recording}.flac"
    flac.parent.mkdir(parents=True, exist_ok=True)
    sound = (np.sin(np.arange(16000) / 5) * 9000).astype(np.int16)
    soundfile.write(flac, sound, 8000)
    sealed = SealedFile(
        path=str(flac.relative_to(data)),
        size=flac.stat().st_size,
        sha256=hashlib.sha256(flac.read_bytes()).hexdigest(),
    )
    ended = Call(
        **{
            "id": call,
            "line": line,
            "direction": Direction.INCOMING,
            "status": CallStatus.ENDED,
            "started": started,
            "number": "13800138089",
            "name": "[bold]=Wang",
            "presentation": Presentation.VALID,
            "answered": started.plus_s(5),
            "ended": started.plus_s(65),
            "outcome": Outcome.ANSWERED,
            "end_reason": EndReason.ON_HOOK,
            "parts": 1,
            **changes,
        }
    )
    return [
        SaveCall(call=ended),
        Account(line=line, at=started, kind="ring", call=call),
        RecordingOpened(
            line=line, at=started, recording=recording, call=call, part=1, raw_path=f"spool/{recording}.raw",
            rate_hz=8000, roles=(ChannelRole.MIXED,),
        ),
        RecordingClosed(
            line=line, at=started.plus_s(65), recording=recording, frames=16000,
            gaps=(Gap(8000, 20, GapCause.OVERRUN),), levels=(ChannelLevels(-20.0, -3.0, 0, 2.0),), chain_head="00" * 32,
            cut_short=bool(at_s),
        ),
        RecordingSealed(
            line=line, at=started.plus_s(66), recording=recording, flac=sealed, opus=sealed, peaks="p.json"
        ),
    ]  # fmt: skip
