"""Every service does its work under its own unit's system call filter, without a capability, as a user of its own."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GROUP = 65400
USERS = {"migrate": 65401, "recorder": 65402, "web": 65403, "sync": 65404, "janitor": 65405}


def _can_confine() -> bool:
    tools = all(shutil.which(tool) for tool in ("setpriv", "systemd-analyze"))
    if os.geteuid() != 0 or not tools:
        return False
    probe = _command("sync", sys.executable, "-c", "import cli.main")
    return subprocess.run(probe, cwd=ROOT, capture_output=True, timeout=60, check=False).returncode == 0


def _command(service: str, *command: str) -> list[str]:
    user = ["setpriv", f"--reuid={USERS[service]}", f"--regid={GROUP}", "--clear-groups"]
    no_capability = ["--bounding-set=-all", "--inh-caps=-all"]
    confined = [
        sys.executable,
        str(ROOT / "tests/systemd/confined.py"),
        str(ROOT / f"systemd/offhook-{service}.service"),
    ]
    return [*user, *no_capability, *confined, *command]


pytestmark = pytest.mark.skipif(not _can_confine(), reason="needs root, systemd-analyze, and a kernel with W^X")


class Box:
    """A data and a run folder as systemd-tmpfiles makes them, and services that run on them confined."""

    def __init__(self, folder: Path) -> None:
        self.data, self.run_dir = folder / "data", folder / "run"
        for made in (self.data, self.run_dir):
            made.mkdir()
            os.chown(made, USERS["recorder"], GROUP)
            made.chmod(0o2770)
        self.environment = {
            "PATH": os.environ["PATH"], "OFFHOOK_DATA": str(self.data), "OFFHOOK_RUN": str(self.run_dir),
        }  # fmt: skip

    def start(self, service: str, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            _command(service, sys.executable, "-m", "cli.main", *words),
            cwd=ROOT, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def run(self, service: str, *words: str) -> str:
        process = self.start(service, *words)
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 0, said
        return said


def stop(process: subprocess.Popen[str]) -> str:
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=30)
    return said


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 30
    while not path.exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end, f"{path} never came"
        time.sleep(0.05)


def answer_of(address: str, process: subprocess.Popen[str]) -> str:
    """The content type of the page, once it answers."""
    end = time.monotonic() + 45
    problem = "no answer"
    as_a_browser = urllib.request.Request(address, headers={"Accept": "text/html"})
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(as_a_browser, timeout=20) as answer:
                return str(answer.headers["Content-Type"])
        except OSError as error:
            problem = repr(error)
        time.sleep(0.2)
    raise AssertionError(f"{address}: {problem}")


@pytest.fixture
def box() -> Iterator[Box]:
    """Not in pytest's own folder: that one is closed to other users."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        box = Box(Path(folder))
        box.run("migrate", "migrate")
        yield box


def test_all_five_work_together_confined(box: Box) -> None:
    recorder = box.start("recorder", "run")
    wait_for(box.run_dir / "recorder.sock", recorder)
    page = None
    try:
        lines = json.loads(box.run("web", "lines", "--json"))
        assert lines == {"lines": []}
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        page = box.start("web", "web", "--port", str(port))
        wait_for(box.run_dir / "first-run-code", page)
        assert "text/html" in answer_of(f"http://127.0.0.1:{port}/", page)
        box.run("janitor", "janitor")
        assert json.loads(box.run("sync", "doctor", "--json"))["ok"]
    finally:
        said = stop(recorder)
        if page is not None:
            stop(page)
    assert recorder.returncode == 0, said
    assert "Traceback" not in said
    # After a clean close a reader must make the -shm file itself.
    assert json.loads(box.run("web", "calls", "--json")) == {"calls": []}


def test_somebody_outside_the_group_reads_nothing(box: Box) -> None:
    stranger = subprocess.run(
        ["setpriv", "--reuid=65499", "--regid=65499", "--clear-groups", sys.executable, "-m", "cli.main", "calls"],
        cwd=ROOT, env=box.environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert stranger.returncode != 0
    assert stranger.stdout == ""


RECORDER_WORK = """
import os, sys, threading
import alsaaudio, av, numpy, pyudev, serial, soundfile
sound = (numpy.random.default_rng(1).random(8000) * 9000).astype(numpy.int16)
soundfile.write("sound.flac", sound, 8000)
assert (soundfile.read("sound.flac", dtype="int16")[0] == sound).all()
with av.open("sound.opus", "w", format="ogg") as file:
    stream = file.add_stream("libopus", rate=48000, layout="mono")
    frame = av.AudioFrame.from_ndarray(numpy.zeros((1, 960), numpy.int16), format="s16", layout="mono")
    frame.sample_rate = 48000
    for packet in (*stream.encode(frame), *stream.encode(None)):
        file.mux(packet)
pcm = alsaaudio.PCM(alsaaudio.PCM_CAPTURE, device="null", rate=8000, channels=1)
assert pcm.read()[0] != 0
monitor = pyudev.Monitor.from_netlink(pyudev.Context())
monitor.filter_by("tty")
monitor.start()
port = serial.Serial(sys.argv[1], timeout=0.1)
port.write(b"AT\\r")
os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
print("worked")
"""


def test_the_recorders_libraries_work_confined(box: Box) -> None:
    """Sound, serial port, udev, encoders: what it does once devices are there."""
    ours, theirs = pty.openpty()
    os.chown(os.ttyname(theirs), USERS["recorder"], GROUP)
    worked = subprocess.run(
        _command("recorder", sys.executable, "-c", RECORDER_WORK, os.ttyname(theirs)),
        cwd=box.data, env=box.environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    os.close(ours)
    os.close(theirs)
    assert worked.stdout == "worked\n", worked.stderr


@pytest.mark.parametrize(
    ("service", "deed"),
    [
        ("recorder", "import socket; socket.socket(socket.AF_INET)"),
        ("migrate", "import socket; socket.socket(socket.AF_INET)"),
        ("janitor", "import socket; socket.socket(socket.AF_NETLINK)"),
        ("web", "import os; os.chown('.', 1, 1)"),
        ("sync", "import os; os.nice(1)"),
        ("web", "import mmap; mmap.mmap(-1, 4096, prot=7)"),
    ],
)
def test_what_a_service_must_not_do_it_cannot_do(box: Box, service: str, deed: str) -> None:
    """And the confinement of these tests confines."""
    tried = subprocess.run(
        _command(service, sys.executable, "-c", deed),
        cwd=box.data, env=box.environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert tried.returncode != 0
    assert "PermissionError" in tried.stderr
