"""A disk that is really full: a small tmpfs in a mount namespace of a process of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = """
import contextlib, json, os, random, sys
from pathlib import Path
sys.path.insert(0, os.getcwd())
from tests.sync.receiver import box
from tests.sync.receiver.cloud import Cloud, hashes

folder = Path(sys.argv[1])
sound = random.Random(1).randbytes(3_000_000)
parts = box.chunks(sound, 65536)
# Without a reserve, so that it is the disk that refuses, and not the foresight of the receiver.
cloud = Cloud(folder / "cloud", reserve_bytes=-10**9)
said = {}
cloud.say(box.init(sound))
held = []
for part in parts:
    (answer,) = cloud.say(part)
    if answer["rc"]:
        break
    held = answer["have"]
said["pause"] = [answer["rc"], answer["retry_s"], answer["have"] == held]
said["some_came"] = bool(held)
with contextlib.suppress(OSError):  # to the last byte, so that not even a record finds room
    with (folder / "ballast").open("ab", buffering=0) as ballast:
        while ballast.write(bytes(4096)):
            pass
answers = [cloud.say(box.records_message(box.record(n))) for n in range(1, 200)]
acked = [n for n, answer in enumerate(answers, start=1) if answer]
said["records_refused"] = len(acked) < len(answers)
(folder / "ballast").unlink(missing_ok=True)
(folder / "other").unlink()
# There is room again: everything that was not acknowledged comes a second time.
cloud.say(*[box.records_message(box.record(n)) for n in range(1, 200)])
said["records"] = cloud.rows("SELECT count(*), count(DISTINCT seq) FROM record")
for n in acked:
    assert cloud.rows(f"SELECT count(*) FROM record WHERE seq = {n}") == [(1,)]
cloud.say(box.init(sound), *parts)
said["stored"] = cloud.one(box.fin(sound))["state"]
said["same"] = cloud.stored() == hashes(sound)
said["parts"] = cloud.staged()
print(json.dumps(said))
"""


@pytest.mark.timeout(180)
def test_enospc_pauses_files_loses_nothing_that_was_acknowledged_and_goes_on(tmp_path: Path) -> None:
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed (util-linux)")
    disk = tmp_path / "disk"
    disk.mkdir()
    program = tmp_path / "full.py"
    program.write_text(_PROGRAM)
    script = (
        'mount -t tmpfs -o size=16m tmpfs "$1" && dd if=/dev/zero of="$1/other" bs=1M count=13 status=none && '
        'exec "$2" "$3" "$1"'
    )
    command = [
        "unshare",
        "--mount",
        "--map-root-user",
        "sh",
        "-c",
        script,
        "sh",
        str(disk),
        sys.executable,
        str(program),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=170, check=False)
    if "unshare failed" in done.stderr or "permission denied" in done.stderr:
        pytest.skip(f"no mount namespace here: {done.stderr.strip()[:100]}")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "pause": [0x97, 60, True],
        "some_came": True,
        "records_refused": True,
        "records": [[199, 199]],
        "stored": "stored",
        "same": True,
        "parts": 0,
    }
