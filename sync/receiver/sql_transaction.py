"""What one batch of messages asks and changes in tables, the same for every database: records, devices, wishes."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

from sync import wire
from sync.receiver import views
from sync.receiver.inbound import MAX_SEQ
from sync.receiver.messages import Poison, RecordIn, RefusedIn
from sync.receiver.sql import Rows
from sync.receiver.storage import Added, FileRow, FileState, PendingCommand, Progress

GAPS_TOLD = 64
FILE = "SELECT dev, fid, name, size, sha256, state, held, init, fin FROM file"
_POISON_BYTES_KEPT = 4096
_OPEN = "('waiting', 'accepted', 'running')"


class SqlTransaction:
    """The part of `sync.receiver.storage.Transaction` that is tables; where bytes lie is for those who build on it."""

    def __init__(self, rows: Rows, store_epoch: str) -> None:
        self._rows = rows
        self._store_epoch = store_epoch
        self._seen: set[str] = set()

    @property
    def store_epoch(self) -> str:
        return self._store_epoch

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[None]:
        self._rows.run("SAVEPOINT message")
        try:
            yield
        except BaseException:
            self._seen.clear()
            if self.alive:
                self._rows.run("ROLLBACK TO SAVEPOINT message")
                self._rows.run("RELEASE SAVEPOINT message")
            raise
        self._rows.run("RELEASE SAVEPOINT message")

    @property
    def alive(self) -> bool:
        """Whether the transaction can still be worked in."""
        raise NotImplementedError

    def seen(self, dev: str, *, at_ms: int, hello: str | None = None) -> None:
        if dev not in self._seen:
            self._heard(dev, at_ms)
        if hello is not None:
            self._rows.run(
                "UPDATE device SET hello = :text, hello_ms = :at WHERE dev = :dev", text=hello, at=at_ms, dev=dev
            )

    def _heard(self, dev: str, at_ms: int) -> None:
        """Once in a transaction is enough. What a savepoint undoes counts as not yet seen."""
        self._rows.run(
            "INSERT INTO device (dev, first_ms, last_ms) VALUES (:dev, :at, :at) ON CONFLICT (dev) DO UPDATE SET "
            "last_ms = excluded.last_ms WHERE excluded.last_ms > device.last_ms",
            dev=dev,
            at=at_ms,
        )
        self._seen.add(dev)

    def status(self, dev: str, text: str, *, state: str | None, at_ms: int) -> None:
        self.seen(dev, at_ms=at_ms)
        self._rows.run(
            "UPDATE device SET status = :text, state = :state, status_ms = :at WHERE dev = :dev",
            text=text,
            state=state,
            at=at_ms,
            dev=dev,
        )

    # --- records ----------------------------------------------------------------------------------------------------

    def add_record(self, dev: str, record: RecordIn, *, at_ms: int) -> Added:
        event = record.record
        key = {"dev": dev, "epoch": event.epoch, "id": event.id, "seq": event.seq}
        known = self._rows.run(
            "SELECT id, seq, type, body FROM record WHERE dev = :dev AND epoch = :epoch AND (id = :id OR seq = :seq)",
            **key,
        )
        for found_id, seq, kind, body in known:
            if found_id != event.id:
                continue
            # The wall clock of a record may have been corrected between two sendings; what it tells may not change.
            if (seq, kind) == (event.seq, event.type) and json.loads(body)["data"] == event.data:
                return Added.KNOWN
            refused = RefusedIn(epoch=event.epoch, seq=event.seq, reason="another record has this id", text=record.text)
            self.set_aside_record(dev, refused, at_ms=at_ms)
            return Added.CONFLICT
        self._rows.run(
            "INSERT INTO record (dev, epoch, id, seq, type, body, received_ms) "
            "VALUES (:dev, :epoch, :id, :seq, :type, :body, :at)",
            **key,
            type=event.type,
            body=record.text,
            at=at_ms,
        )
        views.project(self._rows, dev, event)
        self._count(dev, event.epoch, event.seq, at_ms)
        return Added.CONFLICT if known else Added.NEW

    def claimed(self, dev: str, epoch: str, max_seq: int, *, at_ms: int) -> None:
        self._rows.run(
            "INSERT INTO epoch (dev, epoch, first_ms, claimed) VALUES (:dev, :epoch, :at, :claimed) "
            "ON CONFLICT (dev, epoch) DO UPDATE SET claimed = excluded.claimed WHERE excluded.claimed > epoch.claimed",
            dev=dev,
            epoch=epoch,
            claimed=min(max_seq, MAX_SEQ),
            at=at_ms,
        )

    def dense_upto(self, dev: str, epoch: str) -> int:
        found = self._rows.run("SELECT dense_upto FROM epoch WHERE dev = :dev AND epoch = :epoch", dev=dev, epoch=epoch)
        return int(found[0][0]) if found else 0

    def progress(self, dev: str, epoch: str) -> Progress:
        return progress(self._rows, dev, epoch)

    def _count(self, dev: str, epoch: str, seq: int, at_ms: int) -> None:
        self._rows.run(
            "INSERT INTO epoch (dev, epoch, first_ms, max_seq) VALUES (:dev, :epoch, :at, :seq) "
            "ON CONFLICT (dev, epoch) DO UPDATE SET max_seq = excluded.max_seq WHERE excluded.max_seq > epoch.max_seq",
            dev=dev,
            epoch=epoch,
            at=at_ms,
            seq=seq,
        )
        dense = self.dense_upto(dev, epoch)
        if seq != dense + 1:
            return
        # The end of the run that starts here: the first one whose successor is not there.
        ((end,),) = self._rows.run(
            "SELECT seq FROM record WHERE dev = :dev AND epoch = :epoch AND seq >= :seq AND NOT EXISTS (SELECT 1 FROM "
            "record AS next WHERE next.dev = :dev AND next.epoch = :epoch AND next.seq = record.seq + 1) "
            "ORDER BY seq LIMIT 1",
            dev=dev,
            epoch=epoch,
            seq=seq,
        )
        self._rows.run(
            "UPDATE epoch SET dense_upto = :end WHERE dev = :dev AND epoch = :epoch", end=end, dev=dev, epoch=epoch
        )

    # --- files ------------------------------------------------------------------------------------------------------

    def file(self, dev: str, fid: str) -> FileRow | None:
        found = self._rows.run(f"{FILE} WHERE dev = :dev AND fid = :fid", dev=dev, fid=fid)
        return file_row(found[0]) if found else None

    def save_file(self, row: FileRow, *, at_ms: int) -> None:
        stored = row.state is FileState.STORED
        self._rows.run(
            "INSERT INTO file (dev, fid, name, size, sha256, state, held, init, fin, first_ms, last_ms, stored_ms, "
            "stored_times) VALUES (:dev, :fid, :name, :size, :sha256, :state, :held, :init, :fin, :at, :at, :stored, "
            ":times) ON CONFLICT (dev, fid) DO UPDATE SET name = excluded.name, size = excluded.size, "
            "sha256 = excluded.sha256, state = excluded.state, held = excluded.held, init = excluded.init, "
            "fin = excluded.fin, last_ms = excluded.last_ms, "
            "stored_ms = coalesce(file.stored_ms, excluded.stored_ms), "
            "stored_times = file.stored_times + excluded.stored_times",
            dev=row.dev,
            fid=row.fid,
            name=row.name,
            size=row.size,
            sha256=row.sha256,
            state=row.state.value,
            held=json.dumps(row.held),
            init=row.init,
            fin=int(row.fin),
            at=at_ms,
            stored=at_ms if stored else None,
            times=int(stored),
        )

    def stored_files(self) -> list[FileRow]:
        return [file_row(found) for found in self._rows.run(f"{FILE} WHERE state = 'stored'")]

    def forget(self, row: FileRow) -> None:
        """Its file is gone: it is to be received again."""
        self._rows.run(
            "UPDATE file SET state = 'receiving', held = '[]', fin = 0, stored_ms = NULL "
            "WHERE dev = :dev AND fid = :fid",
            dev=row.dev,
            fid=row.fid,
        )

    def set_store_epoch(self, epoch: str) -> None:
        self._rows.run(
            "INSERT INTO meta (key, value) VALUES ('store', :epoch) "
            "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            epoch=epoch,
        )
        self._store_epoch = epoch

    # --- the rest ---------------------------------------------------------------------------------------------------

    def set_aside(self, poison: Poison, *, at_ms: int) -> None:
        self._rows.run(
            "INSERT INTO poison (dev, topic, reason, sha256, size, payload, first_ms, last_ms) "
            "VALUES (:dev, :topic, :reason, :sha256, :size, :payload, :at, :at) "
            "ON CONFLICT (topic, sha256, reason) DO UPDATE SET count = poison.count + 1, last_ms = excluded.last_ms",
            dev=poison.dev,
            topic=views.storable(poison.topic[:300]),
            reason=views.storable(poison.reason[:500]),
            sha256=hashlib.sha256(poison.payload).hexdigest(),
            size=len(poison.payload),
            payload=poison.payload[:_POISON_BYTES_KEPT],
            at=at_ms,
        )

    def set_aside_record(self, dev: str, refused: RefusedIn, *, at_ms: int) -> None:
        payload = refused.text.encode("utf-8", "replace")
        self.set_aside(Poison(topic=f"{dev}/up/ev", reason=refused.reason, payload=payload, dev=dev), at_ms=at_ms)

    def reported(self, dev: str, text: str, *, version: int, at_ms: int) -> None:
        self.seen(dev, at_ms=at_ms)
        self._rows.run(
            "UPDATE device SET reported = :text, reported_version = :version, reported_ms = :at WHERE dev = :dev",
            text=text,
            version=min(version, 2**53),
            at=at_ms,
            dev=dev,
        )

    def result(self, dev: str, command: str, *, state: str, text: str, at_ms: int) -> None:
        self.seen(dev, at_ms=at_ms)
        self._rows.run(
            "UPDATE command SET state = :state, result = :text, result_ms = :at "  # noqa: S608  a constant
            f"WHERE dev = :dev AND id = :id AND state IN {_OPEN}",
            state=state,
            text=text,
            at=at_ms,
            dev=dev,
            id=command,
        )

    def desired(self, dev: str) -> tuple[int, str] | None:
        found = self._rows.run("SELECT version, document, sent FROM desired WHERE dev = :dev", dev=dev)
        if not found:
            return None
        version, document, sent = found[0]
        if not sent:
            self._rows.run("UPDATE desired SET sent = 1 WHERE dev = :dev", dev=dev)
        return int(version), str(document)

    def commands(self, dev: str, *, at_ms: int) -> Sequence[PendingCommand]:
        rows = self._rows.run(
            f"SELECT id, dev, op, args, not_after_ms FROM command WHERE dev = :dev AND state IN {_OPEN} "  # noqa: S608
            "AND not_after_ms > :at ORDER BY made_ms",
            dev=dev,
            at=at_ms,
        )
        self._rows.run("UPDATE command SET sent = 1 WHERE dev = :dev AND sent = 0", dev=dev)
        return [_pending(row) for row in rows]

    def unsent(self) -> Sequence[str]:
        """Boxes for which the operator has something new."""
        rows = self._rows.run(
            "SELECT dev FROM command WHERE sent = 0 UNION SELECT dev FROM desired WHERE sent = 0 ORDER BY dev"
        )
        return [str(row[0]) for row in rows]


def file_row(row: Sequence[Any], *, busy: bool = False) -> FileRow:
    """A row of `FILE`."""
    dev, fid, name, size, sha256, state, held, init, fin = row
    return FileRow(
        dev=dev,
        fid=fid,
        name=name,
        size=size,
        sha256=sha256,
        state=FileState(state),
        held=tuple((int(start), int(end)) for start, end in json.loads(held)),
        init=init,
        fin=bool(fin),
        busy=busy,
    )


def _pending(row: Sequence[Any]) -> PendingCommand:
    command, dev, op, args, not_after_ms = row
    message = wire.Command(id=command, op=op, args=json.loads(args), not_after_ms=not_after_ms)
    return PendingCommand(dev=dev, payload=wire.build(message), not_after_ms=not_after_ms)


def progress(rows: Rows, dev: str, epoch: str) -> Progress:
    """What is held of a sequence; with very many gaps only of its beginning."""
    known = rows.run("SELECT dense_upto, max_seq FROM epoch WHERE dev = :dev AND epoch = :epoch", dev=dev, epoch=epoch)
    if not known:
        return Progress()
    gaps = rows.run(
        "SELECT before + 1, seq - 1 FROM (SELECT seq, lag(seq, 1, CAST(:dense AS BIGINT)) OVER (ORDER BY seq) "
        "AS before FROM record WHERE dev = :dev AND epoch = :epoch AND seq > :dense) AS held WHERE seq > before + 1 "
        "ORDER BY seq LIMIT :most",
        dev=dev,
        epoch=epoch,
        dense=known[0][0],
        most=GAPS_TOLD + 1,
    )
    told = tuple((int(first), int(last)) for first, last in gaps[:GAPS_TOLD])
    upto = gaps[GAPS_TOLD][0] - 1 if len(gaps) > GAPS_TOLD else known[0][1]
    return Progress(upto=int(upto), gaps=told)
