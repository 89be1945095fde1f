"""A data folder with a database, a clock that can be set, and the facts of a call as the recorder tells them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlite_utils import Database

from firmware.audio.chain import Chain, Close, Header, line_of
from firmware.effects import Account, SaveCall
from firmware.model import (
    Call,
    CallId,
    CallStatus,
    ChannelRole,
    Direction,
    EndReason,
    Instant,
    LineId,
    Outcome,
    RecordingId,
    call_id,
    recording_id,
)
from firmware.ports import ChannelLevels, Gap, RecordingClosed, RecordingOpened, RecordingSealed, SealedFile
from firmware.store.database import open_reader
from firmware.store.migrate import migrate
from firmware.store.transaction import Row, fetch
from firmware.store.writer import StoreWriter

LINE = LineId("fxo-1")
START = Instant(boot_ns=100_000_000_000, utc_ns=1_795_000_000_000_000_000)


@dataclass
class HandClock:
    """Stands still until it is moved; the wall clock can be set without the boot clock noticing."""

    at: Instant = START

    def now(self) -> Instant:
        return self.at

    def pass_s(self, seconds: float) -> Instant:
        self.at = self.at.plus_s(seconds)
        return self.at

    def set_wall_ms(self, utc_ms: int) -> None:
        self.at = Instant(self.at.boot_ns, utc_ms * 1_000_000)


@dataclass
class World:
    """One box's data folder over several boots."""

    data_dir: Path
    clock: HandClock = field(default_factory=HandClock)
    boot_name: str = "boot-1"

    def __post_init__(self) -> None:
        self.made = migrate(self.path, self.clock)

    @property
    def path(self) -> Path:
        return self.data_dir / "offhook.db"

    def writer(self, **options: object) -> StoreWriter:
        return StoreWriter(self.path, self.clock, boot_name=self.boot_name, **options)  # type: ignore[arg-type]

    def store(self, *submissions: Sequence[object]) -> None:
        """Each submission is stored as a whole; returns when all are committed."""
        writer = self.writer()
        writer.start()
        for facts in submissions:
            writer.submit(facts)  # type: ignore[arg-type]
        writer.flush(10.0)
        writer.stop(10.0)

    def reboot(self, *, off_s: float, wall_ms: int | None = None) -> None:
        """The machine was off for ``off_s``; its boot clock starts anew, and the wall clock may come up wrong."""
        utc_ns = self.clock.at.utc_ns + round(off_s * 1e9) if wall_ms is None else wall_ms * 1_000_000
        self.clock.at = Instant(boot_ns=20_000_000_000, utc_ns=utc_ns)
        self.boot_name = f"boot-{int(self.boot_name.split('-')[1]) + 1}"

    def read(self) -> Database:
        return open_reader(self.path)

    def rows(self, sql: str, *parameters: object) -> list[Row]:
        db = self.read()
        try:
            return fetch(db, sql, parameters)
        finally:
            db.close()


def ringing(at: Instant, *, line: LineId = LINE, number: str | None = "0211234567") -> Call:
    return Call(
        id=call_id(line, at),
        line=line,
        direction=Direction.INCOMING,
        status=CallStatus.RINGING,
        started=at,
        number=number,
    )


def talking(call: Call, at: Instant, *, parts: int = 1) -> Call:
    return replace(call, status=CallStatus.TALKING, answered=at, parts=parts)


def ended(call: Call, at: Instant, outcome: Outcome = Outcome.ANSWERED) -> Call:
    return replace(call, status=CallStatus.ENDED, ended=at, outcome=outcome, end_reason=EndReason.ON_HOOK)


def ring(call: Call | None, at: Instant, *, kind: str = "ring") -> Account:
    return Account(line=call.line if call else LINE, at=at, kind=kind, call=call.id if call else None)


def opened(
    call: Call, at: Instant, *, part: int = 1, roles: tuple[ChannelRole, ...] = (ChannelRole.MIXED,)
) -> RecordingOpened:
    name = recording_id(call.id, part)
    return RecordingOpened(
        line=call.line,
        at=at,
        recording=name,
        call=call.id,
        part=part,
        raw_path=f"spool/{name}.raw",
        rate_hz=8000,
        roles=roles,
    )


def closed(
    call: Call,
    at: Instant,
    *,
    part: int = 1,
    seconds: float = 10.0,
    active_s: tuple[float, ...] = (5.0,),
    gaps: tuple[Gap, ...] = (),
    cut_short: bool = False,
) -> RecordingClosed:
    return RecordingClosed(
        line=call.line,
        at=at,
        recording=recording_id(call.id, part),
        frames=round(seconds * 8000),
        gaps=gaps,
        levels=tuple(ChannelLevels(-30.0, -6.0, 0, active) for active in active_s),
        chain_head="ab" * 32,
        cut_short=cut_short,
    )


def sealed_files(
    world: World, call: Call, at: Instant, *, part: int = 1, seconds: int = 2, size: int = 2000
) -> RecordingSealed:
    """Writes what sealing leaves on the disk, with contents of its own, and says so."""
    name = recording_id(call.id, part)
    folder = world.data_dir / "recordings" / "2026" / "11" / "18"
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for suffix in ("flac", "opus"):
        content = hashlib.sha256(f"{name}.{suffix}".encode()).digest() * (size // 32)
        (folder / f"{name}.{suffix}").write_bytes(content)
        files[suffix] = SealedFile(
            path=f"recordings/2026/11/18/{name}.{suffix}", size=len(content), sha256=hashlib.sha256(content).hexdigest()
        )
    (folder / f"{name}.peaks.json").write_text("{}")
    (folder / f"{name}.chain.jsonl").write_bytes(
        chain_of(name, call, at, part=part, seconds=seconds, boot_name=world.boot_name)
    )
    return RecordingSealed(
        line=call.line,
        at=at,
        recording=name,
        flac=files["flac"],
        opus=files["opus"],
        peaks=f"recordings/2026/11/18/{name}.peaks.json",
    )


def chain_of(name: RecordingId, call: Call, at: Instant, *, part: int, seconds: int, boot_name: str) -> bytes:
    header = Header(
        recording=name,
        call=CallId(call.id),
        line=call.line,
        part=part,
        rate_hz=8000,
        roles=(ChannelRole.MIXED,),
        at=at,
        boot_id=boot_name,
        seed="seed",
    )
    chain = Chain(header)
    chunks = chain.feed(b"\1\0" * 8000 * seconds)
    return b"".join(line_of(entry) for entry in (header, *chunks, Close(8000 * seconds, chain.link)))


def whole_call(world: World, *, outcome: Outcome = Outcome.ANSWERED, size: int = 2000) -> Call:
    """A call that rang, was answered, talked for 10 s, was recorded and sealed: all stored."""
    at = world.clock.pass_s(60)
    call = ringing(at)
    up = talking(call, at.plus_s(2))
    done = ended(up, at.plus_s(12), outcome)
    world.store(
        [SaveCall(call=call), ring(call, at)],
        [SaveCall(call=up), ring(call, at.plus_s(2), kind="off_hook")],
        [opened(call, at)],
        [SaveCall(call=done), ring(call, at.plus_s(12), kind="on_hook")],
        [closed(call, at.plus_s(12), seconds=2)],
        [sealed_files(world, call, at, size=size)],
    )
    world.clock.pass_s(12)
    return done


def outbox(world: World) -> list[tuple[int, str, Row]]:
    return [
        (row["seq"], row["type"], json.loads(row["body"]))
        for row in world.rows("SELECT seq, type, body FROM outbox_event ORDER BY seq")
    ]
