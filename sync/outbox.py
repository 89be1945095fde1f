"""The outbox as the sync process sees it: rows that are due, and what became of them.

Writes only the state of rows that exist, and the two tables of its own (docs/store.md, "Who writes what").
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlite_utils import Database

from firmware.config_sync import AudioOrder, SentAudio
from firmware.ports import Clock
from firmware.store import outbox as store_outbox
from firmware.store import queries
from firmware.store.second_writer import SecondWriter
from firmware.store.transaction import Row, Transaction, fetch
from sync import wire
from sync.moves import URGENT

Mark = Callable[[Transaction], None]
"""One change of the outbox; several go into one transaction."""

MINUTE_MS = 60_000
LONGEST_WAIT_MS = 120 * MINUTE_MS
"""A row that is due later than this was postponed by a wrong clock: it is due."""

KEPT_COMMANDS = 1000
LOGS = 4
"""Priority of what is neither a recording nor asked for by somebody who waits."""
KEPT_DAYS = 400

_CODECS = {
    SentAudio.FLAC: "path LIKE '%.flac'",
    SentAudio.OPUS: "path LIKE '%.opus'",
    SentAudio.BOTH: "1",
    SentAudio.NONE: "0",
}
_TRUST = {"ntp": "ntp", "cloud": "cloud", "rtc": "guess", "none": "guess"}


@dataclass(frozen=True, slots=True)
class DueRecord:
    seq: int
    record: wire.Record
    size: int


@dataclass(frozen=True, slots=True)
class DueFile:
    fid: str
    path: Path
    size: int
    sha256: str
    prio: int
    attempts: int
    init: bytes
    """The same each time, whatever happens to the row."""
    have: str | None = None
    """What was remembered of an attempt that was cut (`sync.emqx`, `sync.s3`)."""
    recording_id: str = ""
    call_id: str | None = None
    started_utc_ms: int = 0


@dataclass(frozen=True, slots=True)
class Waiting:
    """What the cloud does not have yet."""

    events: int
    files: int
    bytes: int
    oldest_utc_ms: int | None
    set_aside: int

    def __str__(self) -> str:
        return f"{self.events} messages and {self.files} recordings ({self.bytes / 1e6:.1f} MB)"


class Outbox:
    def __init__(self, data_dir: Path, clock: Clock, *, dev: str = "", boot_name: str | None = None) -> None:
        """Raises `StoreError` when there is no database of this version."""
        self._data_dir = data_dir
        self._clock = clock
        self._writer = SecondWriter(data_dir / "offhook.db", clock, boot_name=boot_name)
        self.dev = dev
        """The box's id in records; set before the first is read."""
        self.epoch = queries.epoch(self._writer.db)
        self._version = 0

    def close(self) -> None:
        self._writer.close()

    @property
    def db(self) -> Database:
        """For reading."""
        return self._writer.db

    def changed(self) -> bool:
        """Whether another process has written since the last time somebody asked. Much cheaper than looking."""
        before, self._version = self._version, int(self._rows("PRAGMA data_version")[0]["data_version"])
        return self._version != before

    # Reading ---------------------------------------------------------------------------------------------------------

    def records(self, limit: int, *, without: Collection[int] = (), clock_is_right: bool = False) -> list[DueRecord]:
        """At most ``limit`` records that are due, oldest first, ``without`` those on their way."""
        rows = self._rows(
            f"""
            SELECT o.seq, o.id, o.type, o.boot_no, o.boot_ns, o.utc_ms, o.body, b.source,
                o.boot_no = (SELECT max(boot_no) FROM boot) AS this_boot
            FROM outbox_event o JOIN boot b USING (boot_no)
            WHERE o.state = 'pending' AND {_due("o")} AND o.seq NOT IN (SELECT value FROM json_each(?))
            ORDER BY o.prio, o.seq LIMIT ?
            """,  # noqa: S608 - our own text
            (*self._now(), json.dumps(list(without)), limit),
        )
        return [self._record(row, clock_is_right=clock_is_right) for row in rows]

    def files(
        self, limit: int, *, urgent: bool, audio: SentAudio, order: AudioOrder, without: Collection[str] = ()
    ) -> list[DueFile]:
        """At most ``limit`` files that are due; ``urgent`` ones of any codec, or the others of the chosen one."""
        chosen = f"f.prio <= {URGENT}" if urgent else f"f.prio > {URGENT} AND ({_CODECS[audio]} OR f.prio >= {LOGS})"
        direction = "DESC" if order is AudioOrder.NEWEST else "ASC"
        rows = self._rows(
            f"""
            SELECT f.*, r.call_id, r.duration_ms, r.started_utc_ms
            FROM outbox_file f LEFT JOIN recording r ON r.id = f.recording_id
            WHERE f.state IN ('pending', 'sending') AND {chosen} AND {_due("f")}
                AND f.fid NOT IN (SELECT value FROM json_each(?))
            ORDER BY f.prio, f.path LIKE '%.opus' DESC, f.fid {direction} LIMIT ?
            """,  # noqa: S608
            (*self._now(), json.dumps(list(without)), limit),
        )
        return [self._file(row) for row in rows]

    def waiting(self, audio: SentAudio) -> Waiting:
        return Waiting(
            **self._rows(
                f"""
                SELECT (SELECT count(*) FROM outbox_event WHERE state = 'pending') AS events,
                    (SELECT min(utc_ms) FROM outbox_event WHERE state = 'pending') AS oldest_utc_ms,
                    count(*) AS files, coalesce(sum(size), 0) AS bytes,
                    (SELECT count(*) FROM outbox_event WHERE state = 'quarantined')
                        + (SELECT count(*) FROM outbox_file WHERE state = 'quarantined') AS set_aside
                FROM outbox_file WHERE state IN ('pending', 'sending')
                    AND (prio <= {URGENT} OR prio >= {LOGS} OR {_CODECS[audio]})
                """  # noqa: S608
            )[0]
        )

    def max_seq(self) -> int:
        return int(self._rows("SELECT coalesce(max(seq), 0) AS n FROM outbox_event")[0]["n"])

    def boot_no(self) -> int:
        return int(self._rows("SELECT coalesce(max(boot_no), 0) AS n FROM boot")[0]["n"])

    def knows_file(self, fid: str) -> bool:
        return bool(self._rows("SELECT 1 FROM outbox_file WHERE fid = ?", (fid,)))

    def settings(self) -> tuple[int, str]:
        """Version and document in force; 0 and nothing before the first."""
        rows = self._rows("SELECT version, document FROM setting ORDER BY version DESC LIMIT 1")
        return (int(rows[0]["version"]), str(rows[0]["document"])) if rows else (0, "")

    def volume(self, day: str) -> tuple[int, int]:
        """Bytes sent on ``day`` (``2026-11-30``) and in its month."""
        (row,) = self._rows(
            "SELECT coalesce(sum(CASE WHEN day = ? THEN bytes END), 0) AS today, coalesce(sum(bytes), 0) AS month "
            "FROM sync_volume WHERE day LIKE ?",
            (day, f"{day[:7]}-%"),
        )
        return int(row["today"]), int(row["month"])

    def note(self, key: str) -> str | None:
        rows = self._rows("SELECT value FROM sync_note WHERE key = ?", (key,))
        return str(rows[0]["value"]) if rows else None

    # Writing ---------------------------------------------------------------------------------------------------------

    def write(self, marks: Sequence[Mark]) -> None:
        """All of them in one transaction. Raises `StoreError`: then none of them counts."""
        if marks:
            self._writer.write(lambda tx: [mark(tx) for mark in marks])

    def sweep(self) -> list[str]:
        """At the start: sets aside files that are no longer on the disk; returns their recordings."""
        rows = self._rows("SELECT fid, path, recording_id FROM outbox_file WHERE state IN ('pending', 'sending')")
        lost = [row for row in rows if not (self._data_dir / row["path"]).is_file()]
        # Retention deletes files and withdraws rows in that order of visibility: look twice before crying.
        lost = [row for row in lost if self.knows_file(row["fid"])]
        self.write([set_file_aside(row["fid"], "not on the disk any more") for row in lost])
        return [row["recording_id"] for row in lost]

    def take_command(self, command: wire.Command, now_ms: int) -> wire.Result | None:
        """Remembers the command before it is done; its result when it was taken before, else None."""
        known = self._rows("SELECT state, answer FROM sync_command WHERE id = ?", (command.id,))
        if known:
            return wire.parse(str(known[0]["answer"]).encode(), wire.Result)
        accepted = wire.Result(id=command.id, state="accepted")
        self.write([_command(command.id, command.op, accepted, now_ms), _forget_old_commands])
        return None

    def finish_command(self, op: str, result: wire.Result, now_ms: int) -> None:
        self.write([_command(result.id, op, result, now_ms)])

    def running_commands(self) -> list[tuple[str, wire.Result]]:
        """Op and last answer of those that are not over."""
        rows = self._rows("SELECT op, answer FROM sync_command WHERE state = 'running' ORDER BY rowid")
        return [(row["op"], wire.parse(str(row["answer"]).encode(), wire.Result)) for row in rows]

    # Rows ------------------------------------------------------------------------------------------------------------

    def _rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        return fetch(self._writer.db, sql, parameters)

    def _now(self) -> tuple[int, int]:
        now_ms = self._clock.now().utc_ms
        return now_ms, now_ms + LONGEST_WAIT_MS

    def _record(self, row: Row, *, clock_is_right: bool) -> DueRecord:
        record = wire.Record(
            id=row["id"],
            source=f"offhook/{self.dev}",
            type=row["type"],
            time=wire.rfc3339(row["utc_ms"]),
            epoch=self.epoch,
            seq=row["seq"],
            bootno=row["boot_no"],
            mono=str(row["boot_ns"]),
            clock="ntp" if row["this_boot"] and clock_is_right else _TRUST.get(row["source"], "guess"),  # type: ignore[arg-type]
            data=json.loads(row["body"]),
        )
        return DueRecord(row["seq"], record, len(wire.build(record)))

    def _file(self, row: Row) -> DueFile:
        return DueFile(
            fid=row["fid"],
            path=self._data_dir / row["path"],
            size=row["size"],
            sha256=row["sha256"],
            prio=row["prio"],
            attempts=row["attempts"],
            init=row["init_json"].encode() if row["init_json"] else self._init(row),
            have=row["have"],
            recording_id=row["recording_id"],
            call_id=row["call_id"],
            started_utc_ms=row["started_utc_ms"] or 0,
        )

    def _init(self, row: Row) -> bytes:
        about = {
            "call_id": row["call_id"],
            "recording_id": row["recording_id"],
            "epoch": self.epoch,
            "codec": Path(row["path"]).suffix[1:],
            "dur_ms": row["duration_ms"],
            "started_utc_ms": row["started_utc_ms"],
            "prio": row["prio"],
        }
        about = {name: value for name, value in about.items() if value is not None}
        name = Path(row["path"]).name
        return wire.build(wire.Init(name=name, size=row["size"], checksum=row["sha256"], user_data=about))


def records_stored(seqs: Collection[int]) -> Mark:
    return lambda tx: _each(tx, "UPDATE outbox_event SET state = 'stored', last_err = NULL WHERE seq = ?", seqs)


def postpone_record(seq: int, *, until_ms: int, why: str) -> Mark:
    return lambda tx: _run(
        tx,
        "UPDATE outbox_event SET attempts = attempts + 1, next_utc_ms = ?, last_err = ? WHERE seq = ?",
        until_ms,
        why,
        seq,
    )


def set_record_aside(seq: int, why: str) -> Mark:
    def mark(tx: Transaction) -> None:
        _run(tx, "UPDATE outbox_event SET state = 'quarantined', last_err = ? WHERE seq = ?", why, seq)
        _run(tx, "INSERT INTO quarantine VALUES ('sync_record', ?, ?, ?)", str(seq), why, tx.now.utc_ms)

    return mark


def file_opened(file: DueFile) -> Mark:
    return lambda tx: _run(
        tx,
        "UPDATE outbox_file SET state = 'sending', attempts = attempts + 1, init_json = coalesce(init_json, ?) "
        "WHERE fid = ? AND state IN ('pending', 'sending')",
        file.init.decode(),
        file.fid,
    )


def file_stored(fid: str) -> Mark:
    return lambda tx: _run(
        tx,
        "UPDATE outbox_file SET state = 'stored', stored_utc_ms = ?, last_err = NULL WHERE fid = ?",
        tx.now.utc_ms,
        fid,
    )


def postpone_file(fid: str, *, until_ms: int, why: str) -> Mark:
    return lambda tx: _run(
        tx,
        "UPDATE outbox_file SET state = 'pending', next_utc_ms = ?, last_err = ? WHERE fid = ? AND state <> 'stored'",
        until_ms,
        why,
        fid,
    )


def set_file_aside(fid: str, why: str) -> Mark:
    def mark(tx: Transaction) -> None:
        _run(tx, "UPDATE outbox_file SET state = 'quarantined', last_err = ? WHERE fid = ?", why, fid)
        _run(tx, "INSERT INTO quarantine VALUES ('sync_file', ?, ?, ?)", fid, why, tx.now.utc_ms)

    return mark


def keep_have(fid: str, have: str | None) -> Mark:
    """What is to be remembered of an attempt, should this process end now."""
    return lambda tx: _run(tx, "UPDATE outbox_file SET have = ? WHERE fid = ?", have, fid)


def volume_sent(day: str, size: int) -> Mark:
    def mark(tx: Transaction) -> None:
        _run(
            tx,
            "INSERT INTO sync_volume VALUES (?, ?) ON CONFLICT (day) DO UPDATE SET bytes = bytes + excluded.bytes",
            day,
            size,
        )
        _run(tx, f"DELETE FROM sync_volume WHERE day < date(?, '-{KEPT_DAYS} days')", day)  # noqa: S608 - our own number

    return mark


def uploaded(file: DueFile, facts: Row) -> Mark:
    """Tells the cloud where in its bucket a recording lies."""
    body = {"recording_id": file.recording_id, "call_id": file.call_id, "fid": file.fid} | facts
    return lambda tx: _tell(tx, "recording.uploaded", body)


def ask_for_file(fid: str) -> Mark:
    """Somebody waits for this file: it goes before others, also when it had been set aside."""
    return lambda tx: _run(
        tx,
        "UPDATE outbox_file SET prio = ?, next_utc_ms = 0, state = 'pending' WHERE fid = ? AND state <> 'stored'",
        URGENT,
        fid,
    )


def everything_is_due(tx: Transaction) -> None:
    _run(tx, "UPDATE outbox_event SET next_utc_ms = 0 WHERE state = 'pending' AND next_utc_ms > 0")
    _run(tx, "UPDATE outbox_file SET next_utc_ms = 0 WHERE state IN ('pending', 'sending') AND next_utc_ms > 0")


def requeue_records(*, upto: int, gaps: Sequence[wire.Range]) -> Mark:
    """Whatever the cloud lacks is pending again, also what it once had. Never the other way round."""

    def mark(tx: Transaction) -> None:
        again = "UPDATE outbox_event SET state = 'pending', next_utc_ms = 0 WHERE state IN ('stored', 'sent') AND"
        _run(tx, f"{again} seq > ?", upto)
        for first, last in gaps:
            _run(tx, f"{again} seq BETWEEN ? AND ?", first, last)

    return mark


def requeue_files(tx: Transaction) -> None:
    """The cloud's storage is another one: every file that is still here is asked about again."""
    _run(
        tx,
        "UPDATE outbox_file SET state = 'pending', next_utc_ms = 0, attempts = 0 WHERE state = 'stored' AND "
        "recording_id NOT IN (SELECT id FROM recording WHERE status = 'deleted')",
    )


def note(key: str, value: str) -> Mark:
    return lambda tx: _run(
        tx,
        "INSERT INTO sync_note VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        key,
        value,
    )


def _command(name: str, op: str, result: wire.Result, now_ms: int) -> Mark:
    return lambda tx: _run(
        tx,
        "INSERT INTO sync_command (id, op, state, answer, at_utc_ms) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) "
        "DO UPDATE SET state = excluded.state, answer = excluded.answer",
        name,
        op,
        result.state,
        wire.build(result).decode(),
        now_ms,
    )


def _forget_old_commands(tx: Transaction) -> None:
    _run(
        tx,
        "DELETE FROM sync_command WHERE rowid NOT IN (SELECT rowid FROM sync_command ORDER BY rowid DESC LIMIT ?)",
        KEPT_COMMANDS,
    )


def _due(table: str) -> str:
    return f"({table}.next_utc_ms <= ? OR {table}.next_utc_ms > ?)"


def _tell(tx: Transaction, kind: str, body: Row) -> None:
    store_outbox.put(tx, kind, body)


def _run(tx: Transaction, sql: str, *parameters: object) -> None:
    tx.execute(sql, parameters)


def _each(tx: Transaction, sql: str, values: Collection[object]) -> None:
    for value in values:
        tx.execute(sql, (value,))
