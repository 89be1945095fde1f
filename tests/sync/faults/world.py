"""Everything between a call that ended and the cloud, as real processes that can be hurt."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from firmware.effects import SaveCall
from firmware.model import Instant, LineId
from firmware.ports import RecordingSealed, SealedFile
from firmware.store import settings as store_settings
from firmware.store.database import open_reader
from firmware.store.transaction import fetch
from simulator.tun_link import TunLink
from tests.store.world import HandClock, World, closed, ended, opened, ringing, talking
from tests.sync.faults.link import Link

ROOT = Path(__file__).parents[3]


class Process:
    """A child that can be killed, frozen, and started again."""

    def __init__(self, name: str, command: Sequence[str], *, log: Path, env: dict[str, str]) -> None:
        self.name = name
        self.log = log
        self.command = list(command)
        self.env = env
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command, cwd=ROOT, env={**os.environ, "PYTHONUNBUFFERED": "1", **self.env}, stdout=log, stderr=log
            )

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def freeze(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def stop(self) -> int | None:
        """Its exit code, when it was running."""
        if self._process is None:
            return None
        self.thaw()
        self._process.terminate()
        try:
            code = self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait(10)
        self._process = None
        return code

    def revive(self) -> bool:
        """Starts it when it has ended, as systemd would."""
        if self._process is None or self._process.poll() is not None:
            self.start()
            return True
        return False

    def tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])


@dataclass(frozen=True)
class Ended:
    """A call that ended: written down after the commit, and only then the cloud's business."""

    call: str
    recording: str
    sha256: str
    size: int


@dataclass
class House:
    """A box: its database, its recordings, its sync process, and its link to the world."""

    name: str
    folder: Path
    link: Link
    rng: random.Random
    lossy: TunLink | None = None
    """Where single packets get lost; the link stands behind it."""
    transport: str = "plain"
    extra: str = ""
    command: tuple[str, ...] = ("-m", "cli.main", "sync", "run")
    ledger: list[Ended] = field(default_factory=list)
    clock_off_ms: int = 0

    def __post_init__(self) -> None:
        self._clock = HandClock(self._now())
        self.world = World(self.folder / "data", clock=self._clock)
        self._boot_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        self._settle()
        self.process = Process(
            self.name,
            self.lossy.wrap([sys.executable, *self.command]) if self.lossy else [sys.executable, *self.command],
            log=self.folder / "sync.log",
            env={"OFFHOOK_DATA": str(self.folder / "data"), "OFFHOOK_RUN": str(self.folder / "run")},
        )

    def _now(self) -> Instant:
        return Instant(
            boot_ns=time.clock_gettime_ns(time.CLOCK_BOOTTIME), utc_ns=time.time_ns() + self.clock_off_ms * 1_000_000
        )

    def _settle(self) -> None:
        document = (
            '[box]\nname = "x"\ncountry = "CN"\ntime_zone = "Asia/Shanghai"\n\n[sync]\nenabled = true\n'
            f'host = "{self.link.host}"\ntransport = "{self.transport}"\nport = {self.link.port}\n'
            f'box_id = "{self.name}"\n'
            "hello_s = 2.0\nresend_s = 1.0\nprobe_s = 1.0\nlongest_backoff_s = 1.0\nkeepalive_s = 3\n" + self.extra
        )
        (self.folder / "run").mkdir(exist_ok=True)
        writer = self.world.writer()
        writer.start()
        writer.call(lambda tx: store_settings.apply(tx, base_version=0, document=document, by="test"))
        writer.stop(10.0)

    def make_call(self) -> None:
        """A call from ring to sealed recording, as the recorder stores it."""
        self._clock.at = self._now()
        start = self._clock.at
        call = ringing(start, line=LineId("fxo-1"), number=f"02{self.rng.randrange(10**8):08}")
        answered = talking(call, start)
        over = ended(answered, start.plus_s(1))
        recording = opened(answered, start).recording
        folder = self.world.data_dir / "recordings" / "2026" / "11" / "22"
        folder.mkdir(parents=True, exist_ok=True)
        files = {}
        for suffix, size in (("flac", self.rng.randrange(2_000, 250_000)), ("opus", 300)):
            content = self.rng.randbytes(size)
            path = folder / f"{recording}.{suffix}"
            with path.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            files[suffix] = SealedFile(
                path=str(path.relative_to(self.world.data_dir)), size=size, sha256=hashlib.sha256(content).hexdigest()
            )
        self.world.store(
            [SaveCall(call=call)],
            [SaveCall(call=answered), opened(answered, start)],
            [
                closed(answered, start.plus_s(1)),
                RecordingSealed(
                    line=call.line, at=start, recording=recording, flac=files["flac"], opus=files["opus"], peaks=""
                ),
                SaveCall(call=over),
            ],
        )
        self.ledger.append(Ended(call.id, recording, files["flac"].sha256, files["flac"].size))

    def waiting(self) -> int:
        """Rows that the cloud has not acknowledged."""
        db = open_reader(self.world.path)
        try:
            (row,) = fetch(
                db,
                "SELECT (SELECT count(*) FROM outbox_event WHERE state IN ('pending', 'sent')) + (SELECT count(*) FROM "
                "outbox_file WHERE state IN ('pending', 'sending') AND path LIKE '%.flac') AS n",
            )
            return int(row["n"])
        finally:
            db.conn.close()

    def lose_database(self) -> None:
        """A new card with the old recordings on it: another epoch begins."""
        self.process.stop()
        for path in self.world.data_dir.glob("offhook.db*"):
            path.unlink()
        self.world = World(self.world.data_dir, clock=self._clock)
        self._settle()
        self.process.start()


def wait_for(what: object, deadline_s: float, *, every_s: float = 0.1) -> bool:
    """Whether ``what()`` became true in time."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        with contextlib.suppress(sqlite3.Error):
            if what():  # type: ignore[operator]
                return True
        time.sleep(every_s)
    return False
