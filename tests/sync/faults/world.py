"""Everything between a call that ended and the cloud, as real processes that can be hurt."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import shutil
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
from firmware.store.ids import ulid
from firmware.store.transaction import fetch
from sync.receiver.opening import open_folder
from sync.receiver.verify import verify
from tests.store.world import HandClock, World, closed, ended, opened, ringing, talking
from tests.sync.faults.link import Link
from tests.sync.faults.mosquitto import Mosquitto

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
            [sys.executable, *self.command],
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
            f'host = "127.0.0.1"\ntransport = "{self.transport}"\nport = {self.link.port}\nbox_id = "{self.name}"\n'
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


class Cloud:
    """The receiver as a process."""

    def __init__(self, folder: Path, broker: Mosquitto, *, command: Sequence[str] = ("-m", "sync.receiver", "run")):
        folder.mkdir(parents=True, exist_ok=True)
        self.data = folder / "cloud"
        self.process = Process(
            "receiver",
            [sys.executable, *command],
            log=folder / "receiver.log",
            env={
                "OFFHOOK_RECEIVER_STORAGE_DATA": str(self.data),
                "OFFHOOK_RECEIVER_STORAGE_RESERVE_MB": "1",
                "OFFHOOK_RECEIVER_BROKER_PORT": str(broker.port),
                "OFFHOOK_RECEIVER_BROKER_KEEPALIVE_S": "3",
                "OFFHOOK_RECEIVER_LIMITS_RETRY_FULL_S": "1",
            },
        )

    def backup(self, path: Path) -> None:
        """As an operator makes one of a running database."""
        source = sqlite3.connect(self.data / "receiver.db", timeout=20)
        target = sqlite3.connect(path)
        source.backup(target)
        target.close()
        source.close()

    def restore(self, path: Path) -> None:
        """Yesterday's database comes back; the files stay."""
        self.process.stop()
        for name in ("receiver.db-wal", "receiver.db-shm"):
            (self.data / name).unlink(missing_ok=True)
        shutil.copy(path, self.data / "receiver.db")
        self.process.start()

    def full(self, yes: bool) -> None:
        """Started anew with a reserve that no disk has, or with a small one."""
        self.process.stop()
        self.process.env["OFFHOOK_RECEIVER_STORAGE_RESERVE_MB"] = str(10**9 if yes else 1)
        self.process.start()


def violations(cloud: Path, houses: Sequence[House]) -> list[str]:
    """What is not as it must be: every call that ended is here exactly once with identical bytes, nothing else is
    here, nothing is left behind."""
    with open_folder(cloud) as kept:
        found = [f"{one.code}: {one.subject}: {one.message}" for one in verify(kept).findings]
    connection = sqlite3.connect(f"{(cloud / 'receiver.db').absolute().as_uri()}?mode=ro", uri=True)
    try:
        for dev in sorted({house.name for house in houses}):
            ours = [house for house in houses if house.name == dev]
            ledger = {one.call: one for house in ours for one in house.ledger}
            ended_here = connection.execute(
                "SELECT json_extract(body, '$.data.id'), count(*), count(DISTINCT epoch) FROM record "
                "WHERE dev = ? AND type = 'call.ended' GROUP BY 1",
                (dev,),
            ).fetchall()
            here = {call: (count, epochs) for call, count, epochs in ended_here}
            for call in ledger.keys() - here.keys():
                found.append(f"{dev}: call {call} is not in the cloud")
            for call in here.keys() - ledger.keys():
                found.append(f"{dev}: call {call} is in the cloud and never was")
            for call, (count, epochs) in here.items():
                if count != epochs:  # a box whose database was made anew tells what it has again, in its new epoch
                    found.append(f"{dev}: call {call} ended {count} times in {epochs} epochs")
            stored = connection.execute(
                "SELECT fid, sha256, size, stored_times FROM file WHERE dev = ? AND state = 'stored'", (dev,)
            ).fetchall()
            by_sha = {sha256: (fid, size) for fid, sha256, size, _times in stored}
            wanted = {one.sha256: one for one in ledger.values()}
            for sha256 in wanted.keys() - by_sha.keys():
                found.append(f"{dev}: recording {wanted[sha256].recording} is not in the cloud")
            for sha256 in by_sha.keys() - wanted.keys():
                found.append(f"{dev}: file {by_sha[sha256][0]} is in the cloud and never was")
            for fid, sha256, size, times in stored:
                paths = list((cloud / "files" / dev).rglob(f"{fid}.*"))
                if len(paths) != 1:
                    found.append(f"{dev}: file {fid} lies in {len(paths)} places")
                elif hashlib.sha256(paths[0].read_bytes()).hexdigest() != sha256:
                    found.append(f"{dev}: file {fid} has other bytes")
                elif sha256 in wanted and size != wanted[sha256].size:
                    found.append(f"{dev}: file {fid} has another size")
                if times != 1:
                    found.append(f"{dev}: file {fid} was finalised {times} times")
        strangers = {row[0] for row in connection.execute("SELECT dev FROM device")} - {house.name for house in houses}
        found += [f"{dev} is a box that never was" for dev in strangers]
        for (count,) in connection.execute("SELECT count(*) FROM file WHERE state <> 'stored'"):
            if count:
                found.append(f"{count} files are left half-way")
        leftover = [path.name for path in (cloud / "parts").rglob("*") if path.is_file()]
        if leftover:
            found.append(f"parts are left behind: {leftover[:5]}")
        doubled = connection.execute(
            "SELECT dev, epoch, seq, count(*) FROM record GROUP BY dev, epoch, seq HAVING count(*) > 1 LIMIT 5"
        ).fetchall()
        if doubled and len({house.name for house in houses}) == len(houses):
            found.append(f"records are doubled: {doubled}")
    finally:
        connection.close()
    for house in houses:
        if house.waiting():
            found.append(f"{house.name}: {house.waiting()} rows still wait on the box")
        quarantined = _quarantined(house)
        if quarantined:
            found.append(f"{house.name}: the box set aside {quarantined}")
    return found


def _quarantined(house: House) -> list[str]:
    db = open_reader(house.world.path)
    try:
        rows = fetch(
            db,
            "SELECT 'record ' || seq || ': ' || coalesce(last_err, '') AS what FROM outbox_event "
            "WHERE state = 'quarantined' UNION ALL SELECT 'file ' || fid || ': ' || coalesce(last_err, '') "
            "FROM outbox_file WHERE state = 'quarantined'",
        )
        return [str(row["what"]) for row in rows]
    finally:
        db.conn.close()


def hostile_acks(rng: random.Random, dev: str, house: House) -> list[tuple[str, bytes]]:
    """What a broken or malicious cloud may say."""
    fid = f"{ulid(time.time_ns() // 1_000_000)}-{rng.randbytes(8).hex()}"
    return rng.sample(
        [
            (f"offhook1/{dev}/dn/ack", b""),
            (f"offhook1/{dev}/dn/ack", rng.randbytes(200)),
            (f"offhook1/{dev}/dn/ack", b"[" * 5000),
            (f"offhook1/{dev}/dn/ack", b'{"t":"f"}'),
            (f"offhook1/{dev}/dn/ack", b'{"t":"ev","epoch":"another","seq":[1,2,3],"upto":9999}'),
            (f"offhook1/{dev}/dn/ack", json.dumps({"t": "f", "f": fid, "state": "stored", "size": 1}).encode()),
            (f"offhook1/{dev}/dn/ack", json.dumps({"t": "f", "f": fid, "state": "x", "have": [[5, 1]]}).encode()),
            (f"offhook1/{dev}/dn/cmd", b'{"id":"a","op":"sh -c reboot","not_after_ms":1}'),
            (f"offhook1/{dev}/dn/cmd", b'{"id":"b","op":"shell","args":{"x":1},"not_after_ms":9999999999999}'),
            (f"offhook1/{dev}/dn/cfg", b'{"ver":-1,"document":"x"}'),
            (f"offhook1/{dev}/dn/nothing", b"x" * 1000),
        ],
        4,
    )


def hostile_messages(rng: random.Random, dev: str) -> list[tuple[str, bytes]]:
    """What a broken or malicious box may say in the name of ``dev``; nothing of it may be taken for a call."""
    return rng.sample(
        [
            (f"offhook1/{dev}/up/ev", rng.randbytes(100)),
            (f"offhook1/{dev}/up/ev", b"[]"),
            (f"offhook1/{dev}/up/ev", b'{"specversion":"1.0"}'),
            (f"offhook1/{dev}/up/hello", b"{}"),
            (f"offhook1/{dev}/up/f/../x/init", b"{}"),
            (f"offhook1/{dev}/up/f/{'0' * 26}-{'0' * 16}/init", b'{"name":"/etc/passwd","size":-1}'),
            (f"offhook1/{dev}/up/f/{'0' * 26}-{'0' * 16}/0/{'0' * 64}", b"nobody announced this"),
            (f"offhook1/{dev}/up/f/{'0' * 26}-{'0' * 16}/fin/5/{'0' * 64}", b""),
            (f"offhook1/{dev}/up/nothing", b"x"),
            (f"offhook1/{dev}/up/res", b'{"id":"x"}'),
        ],
        4,
    )


def wait_for(what: object, deadline_s: float, *, every_s: float = 0.1) -> bool:
    """Whether ``what()`` became true in time."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        with contextlib.suppress(sqlite3.Error):
            if what():  # type: ignore[operator]
                return True
        time.sleep(every_s)
    return False
