"""A second recorder on the same data folder is refused, a dead one is not in the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from firmware.errors import AlreadyRunningError, OffhookError
from firmware.instance_lock import InstanceLock

HOLD = (
    "import sys, time; from pathlib import Path; from firmware.instance_lock import InstanceLock\n"
    "with InstanceLock(Path(sys.argv[1])):\n print('held', flush=True); time.sleep(60)"
)


def test_a_second_one_is_refused_with_the_firsts_process_id(tmp_path: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(AlreadyRunningError, match=rf"process {other.pid}\b.*systemctl stop offhook-recorder"):
            InstanceLock(tmp_path).acquire()
        other.send_signal(signal.SIGKILL)
        other.wait(10)
        with InstanceLock(tmp_path):
            assert (tmp_path / "recorder.lock").read_text() == f"{os.getpid()}\n"
    finally:
        other.kill()
        other.wait(10)


def test_it_can_be_taken_again_after_release(tmp_path: Path) -> None:
    for _ in range(2):
        with InstanceLock(tmp_path), pytest.raises(AlreadyRunningError):
            InstanceLock(tmp_path).acquire()


def test_another_folder_is_another_box(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with InstanceLock(tmp_path / "a"), InstanceLock(tmp_path / "b"):
        pass


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(OffhookError, match="make it and give it to the recorder's user"):
        InstanceLock(tmp_path / "missing").acquire()
