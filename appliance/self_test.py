"""One test call, recorded by this version's own recorder on a simulated line and read back: does this box record?

It runs beside the recorder in folders of its own, so it needs no free line, and leaves nothing behind.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from appliance import tone
from appliance.bench_line import BenchLine
from firmware.errors import DeviceError, OffhookError
from firmware.ipc.client import RecorderClient

_Found = TypeVar("_Found")

_TONE_HZ = 440.0
_TALK_S = 6.0
_LEAST_S = 3.0
"""A machine that is slow (an emulator) may lose some blocks; the test asks whether it records, not how fast it is."""
_DEADLINE_S = 240.0
_USER = "offhook-recorder"

_SETTINGS = """\
[box]
name = "Self-test"
found_devices_become_lines = false
[[lines]]
id = "selftest"
driver = "fxo-gpio"
label = "Self-test"
[lines.options]
profile = "{profile}"
port = 1
"""


@dataclass(frozen=True, slots=True)
class Result:
    call: str
    recording: str
    heard_s: float
    recorded_s: float
    level_dbfs: float
    took_s: float


def run(program: str = sys.argv[0], *, talk_s: float = _TALK_S) -> Result:
    """Needs root. Raises `DeviceError` when the line cannot be simulated, `OffhookError` when the call is not there."""
    begun = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="selftest-", dir=_room()))
    try:
        user = pwd.getpwnam(_USER)
        with BenchLine() as line, _recorder(program, folder, line.profile(), user) as data:
            wav = folder / "tone.wav"
            tone.write(wav, _TONE_HZ, talk_s + 30)
            wav.chmod(0o644)
            line.play(wav)
            line.ring()
            line.lift()
            time.sleep(talk_s)
            line.hang_up()
            call = _sealed(program, data, folder)
        recording = call["recordings"][0]
        heard = tone.listen(data / str(recording["flac_path"]), _TONE_HZ)
        if heard.seconds < _LEAST_S:
            raise OffhookError(
                f"the test call was recorded ({heard.of_s:.1f} s), but only {heard.seconds:.1f} s of it as played"
            )
        return Result(
            call=str(call["id"]),
            recording=str(recording["id"]),
            heard_s=round(heard.seconds, 1),
            recorded_s=round(heard.of_s, 1),
            level_dbfs=round(heard.level_dbfs, 1),
            took_s=round(time.monotonic() - begun, 1),
        )
    except (OSError, KeyError, IndexError, subprocess.TimeoutExpired) as error:
        raise OffhookError(f"the self-test could not be done: {error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _room() -> str | None:
    """On the card, where the recordings go; a box that has none yet takes the usual place."""
    data = Path("/data/offhook")
    return str(data) if data.is_dir() else None


@contextmanager
def _recorder(program: str, folder: Path, profile: str, user: pwd.struct_passwd) -> Iterator[Path]:
    data, run_dir = folder / "data", folder / "run"
    for made in (folder, data, run_dir):
        made.mkdir(exist_ok=True)
        os.chown(made, user.pw_uid, user.pw_gid)
        made.chmod(0o770)
    folder.chmod(0o755)
    (folder / "profile.toml").write_text(profile)
    (data / "first-boot.toml").write_text(_SETTINGS.format(profile=folder / "profile.toml"))
    command = [program, "--data", str(data), "--run-dir", str(run_dir)]
    groups: list[str | int] = ["offhook", "audio", "gpio"]
    subprocess.run(
        [*command, "migrate"], user=user.pw_uid, group=user.pw_gid, extra_groups=groups, timeout=_DEADLINE_S,
        capture_output=True, check=True,
    )  # fmt: skip
    with (folder / "log").open("wb") as log:
        recorder = subprocess.Popen(
            [*command, "run"], user=user.pw_uid, group=user.pw_gid, extra_groups=groups, stdout=log, stderr=log,
            stdin=subprocess.DEVNULL, env={"PATH": os.environ.get("PATH", "/usr/bin"), "LANG": "C.UTF-8"},
        )  # fmt: skip
        try:
            _wait("the recorder watches the simulated line", lambda: _watches(recorder, run_dir, folder / "log"))
            yield data
        finally:
            recorder.terminate()
            try:
                recorder.wait(60)
            except subprocess.TimeoutExpired:
                recorder.kill()
                recorder.wait(10)


def _watches(recorder: subprocess.Popen[bytes], run_dir: Path, log: Path) -> bool:
    if recorder.poll() is not None:
        raise OffhookError(f"the recorder of the self-test ended: {log.read_text(errors='replace')[-500:]}")
    try:
        with RecorderClient(run_dir / "recorder.sock") as client:
            lines = client.request("state")["lines"]
    except OffhookError:
        return False
    for line in lines:
        if line["fault"]:
            raise DeviceError(str(line["fault"]["en"]))
    return bool(lines) and all(line["present"] for line in lines)


def _sealed(program: str, data: Path, folder: Path) -> dict[str, Any]:
    """The call once its recording is complete and was decoded back."""

    def look() -> dict[str, Any] | None:
        shown = subprocess.run(
            [program, "--data", str(data), "--run-dir", str(folder / "run"), "calls", "--json"],
            capture_output=True, text=True, timeout=_DEADLINE_S, check=False,
        )  # fmt: skip
        if shown.returncode not in (0, 1):
            return None
        for call in json.loads(shown.stdout)["calls"]:
            if call["recordings"] and call["recordings"][0]["flac_path"]:
                found: dict[str, Any] = call
                return found
        return None

    return _wait("the test call is recorded", look)


def _wait(what: str, look: Callable[[], _Found | None]) -> _Found:
    end = time.monotonic() + _DEADLINE_S
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.5)
    raise OffhookError(f"self-test: after {_DEADLINE_S:.0f} s still not: {what}")
