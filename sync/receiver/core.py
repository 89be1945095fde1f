"""Decides what each message of a box means and what is answered. No I/O of its own, no clock: both are passed in."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import assert_never

from attrs import evolve, frozen

from sync import topics, wire
from sync.ranges import Ranges
from sync.receiver.messages import (
    AbortIn,
    CheckIn,
    ChunkIn,
    FinIn,
    HelloIn,
    Inbound,
    InitIn,
    Poison,
    RecordsIn,
    ReportIn,
    ResultIn,
    StatusIn,
)
from sync.receiver.storage import Added, FileRow, FileState, StorageFullError, Transaction


@frozen(kw_only=True)
class Limits:
    """What this receiver takes."""

    file_bytes: int = 2 * 1024**3
    retry_full_s: int = 60
    """How long a box waits when the storage is full."""
    max_chunk: int = wire.MAX_CHUNK_BYTES


@frozen(kw_only=True)
class Reply:
    """A message to a box, to be published only after the transaction that it speaks of has been committed."""

    topic: str
    message: wire.Ack | wire.Desired | bytes

    @property
    def payload(self) -> bytes:
        return self.message if isinstance(self.message, bytes) else wire.build(self.message)

    @property
    def qos(self) -> int:
        """How far a file has come is said again and again, and asked for when nothing comes: the way down is spared
        the broker's care, and the way up its PUBACK."""
        return 0 if isinstance(self.message, wire.FileAck) and self.message.state == "receiving" else 1


@frozen
class Complete:
    """A file of which nothing lacks."""

    dev: str
    fid: str


@frozen(kw_only=True)
class Outcome:
    replies: tuple[Reply, ...] = ()
    news: tuple[str, ...] = ()
    """What the operator should hear of, for the log."""
    finish: Complete | None = None
    """Everything of this file is here: to be put into its place by `Receiver.finish`, in a transaction of its own."""


class Receiver:
    """Handles one message inside one transaction."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def handle(self, tx: Transaction, message: Inbound, *, at_ms: int) -> Outcome:  # noqa: PLR0911  one per kind
        """What is answered when the transaction has been committed. Raises what the storage raises."""
        match message:
            case HelloIn():
                return self._hello(tx, message, at_ms)
            case RecordsIn():
                return self._records(tx, message, at_ms)
            case InitIn():
                return self._init(tx, message, at_ms)
            case ChunkIn():
                return self._chunk(tx, message, at_ms)
            case FinIn():
                return self._fin(tx, message, at_ms)
            case CheckIn():
                return self._check(tx, message)
            case AbortIn():
                return self._abort(tx, message, at_ms)
            case StatusIn():
                state = message.status.state if message.status else None
                tx.status(message.dev, message.text, state=state, at_ms=at_ms)
            case ReportIn():
                tx.reported(message.dev, message.text, version=message.reported.ver, at_ms=at_ms)
            case ResultIn(dev=dev, result=result, text=text):
                tx.result(dev, result.id, state=result.state, text=text, at_ms=at_ms)
            case Poison():
                return self.refuse(tx, message, at_ms=at_ms)
            case _:
                assert_never(message)
        return Outcome()

    def finish(self, tx: Transaction, file: Complete, *, at_ms: int) -> Outcome:
        """Hashes what was staged and puts it into its place, once, whoever else may be asked to."""
        row = tx.file_to_finish(file.dev, file.fid)
        if row is None or row.state is FileState.ABORTED:
            return Outcome(replies=(_about(file.dev, _unknown(file.fid)),))
        if row.state is FileState.STORED or not _whole(row):
            return Outcome(replies=(_about(file.dev, _progress(tx, row)),))
        found = tx.assembled(row)
        if found == row.sha256:
            return self._store(tx, row, at_ms)
        tx.discard(row)
        row = evolve(row, held=(), fin=False)
        tx.save_file(row, at_ms=at_ms)
        why = "what was staged is gone" if found is None else f"the whole file's sha256 is {found}, not {row.sha256}"
        ack = evolve(_progress(tx, row), rc=wire.RC_RESEND_ALL, desc=why)
        return Outcome(replies=(_about(file.dev, ack),), news=(f"{file.dev}: {file.fid}: {why}",))

    def full(self, tx: Transaction, message: Inbound | Complete, why: StorageFullError) -> Outcome:
        """The answer when there was no room for ``message``: come again later. Records have no such answer; their
        box repeats them until they are acknowledged."""
        if isinstance(message, InitIn | ChunkIn | FinIn | Complete):
            row = tx.file(message.dev, message.fid)
            return self._pause(message.dev, message.fid, row, str(why))
        return Outcome(news=(str(why),))

    def refuse(self, tx: Transaction, poison: Poison, *, at_ms: int) -> Outcome:
        """Puts ``poison`` aside for the operator, and tells its box not to come with this file again."""
        tx.set_aside(poison, at_ms=at_ms)
        news = (f"a message on {poison.topic[:100]} was put aside: {poison.reason}",)
        if poison.dev is None or poison.fid is None:
            return Outcome(news=news)
        row = tx.file(poison.dev, poison.fid)
        if row is not None and row.state is FileState.STORED:
            return Outcome(replies=(_about(poison.dev, _stored(tx, row)),), news=news)
        ack = wire.FileAck(f=poison.fid, state="rejected", rc=wire.RC_REJECTED, desc=poison.reason[:200])
        return Outcome(replies=(_about(poison.dev, ack),), news=news)

    def _hello(self, tx: Transaction, message: HelloIn, at_ms: int) -> Outcome:
        dev, hello = message.dev, message.hello
        tx.seen(dev, at_ms=at_ms, hello=message.text)
        tx.claimed(dev, hello.epoch, hello.max_seq, at_ms=at_ms)
        progress = tx.progress(dev, hello.epoch)
        desired = tx.desired(dev)
        ack = wire.HelloAck(
            srv_ms=at_ms,
            store=tx.store_epoch,
            batch=True,
            max_chunk=self._limits.max_chunk,
            ev_upto=progress.upto,
            ev_gaps=progress.gaps,
            cfg_ver=desired[0] if desired else 0,
        )
        return Outcome(replies=(_about(dev, ack), *wishes_for(tx, dev, known=hello.cfg_ver, at_ms=at_ms)))

    def _records(self, tx: Transaction, message: RecordsIn, at_ms: int) -> Outcome:
        dev = message.dev
        taken: dict[str, list[int]] = {}
        rejected: dict[str, list[wire.RejectedRecord]] = {}
        news = []
        for one in message.records:
            added = tx.add_record(dev, one, at_ms=at_ms)
            taken.setdefault(one.record.epoch, []).append(one.record.seq)
            if added is Added.CONFLICT:
                news.append(
                    f"{dev}: record {one.record.id} (seq {one.record.seq}) meets another one of the same number: two "
                    "boxes have one identity, or one was restored from a backup"
                )
        for refused in message.refused:
            tx.set_aside_record(dev, refused, at_ms=at_ms)
            news.append(f"{dev}: a record was put aside: {refused.reason}")
            if refused.epoch is not None and refused.seq is not None:
                answer = wire.RejectedRecord(seq=refused.seq, desc=refused.reason[:200])
                rejected.setdefault(refused.epoch, []).append(answer)
        tx.seen(dev, at_ms=at_ms)
        acks = [
            wire.RecordsAck(
                epoch=epoch,
                seq=tuple(sorted(set(taken.get(epoch, ())))),
                upto=tx.dense_upto(dev, epoch),
                srv_ms=at_ms,
                rejected=tuple(rejected.get(epoch, ())),
            )
            for epoch in sorted(taken.keys() | rejected.keys())
        ]
        return Outcome(replies=tuple(_about(dev, ack) for ack in acks), news=tuple(news))

    def _init(self, tx: Transaction, message: InitIn, at_ms: int) -> Outcome:
        dev, fid, init = message.dev, message.fid, message.init
        if init.size > self._limits.file_bytes:
            why = f"the file has {init.size} bytes; this receiver takes {self._limits.file_bytes}"
            return Outcome(replies=(_about(dev, _rejected(fid, why)),), news=(f"{dev}: {fid} refused: {why}",))
        row = tx.file(dev, fid)
        if row is None or row.state is FileState.ABORTED:
            row = FileRow(
                dev=dev,
                fid=fid,
                name=init.name,
                size=init.size,
                sha256=init.checksum,
                state=FileState.RECEIVING,
                init=message.text,
            )
            if tx.assembled(row) == row.sha256:  # it was put into place, but its row was lost
                return self._store(tx, row, at_ms)
            if not tx.room(row.size):
                return self._pause(dev, fid, None, "the storage is full")
            tx.save_file(row, at_ms=at_ms)
        elif (row.size, row.sha256) != (init.size, init.checksum):
            why = "another file with this id was announced before"
            return Outcome(replies=(_about(dev, _rejected(fid, why)),), news=(f"{dev}: {fid} refused: {why}",))
        return Outcome(replies=(_about(dev, _progress(tx, row)),))

    def _chunk(self, tx: Transaction, message: ChunkIn, at_ms: int) -> Outcome:  # noqa: PLR0911  one per reason
        dev, fid = message.dev, message.fid
        row = tx.file(dev, fid)
        if row is None or row.state is FileState.ABORTED:
            return Outcome(replies=(_about(dev, _unknown(fid)),))
        if row.state is FileState.STORED:
            return Outcome(replies=(_about(dev, _stored(tx, row)),))
        end = message.offset + len(message.data)
        if end > row.size:
            why = f"a chunk ends at byte {end} of a file of {row.size}"
            return Outcome(replies=(_about(dev, _rejected(fid, why)),), news=(f"{dev}: {fid}: {why}",))
        if message.sha256 is not None and hashlib.sha256(message.data).hexdigest() != message.sha256:
            ack = evolve(_progress(tx, row), rc=wire.RC_RESEND, desc=f"the chunk at {message.offset} arrived damaged")
            return Outcome(replies=(_about(dev, ack),), news=(f"{dev}: {fid}: {ack.desc}",))
        if row.busy:
            return Outcome(replies=(_about(dev, _progress(tx, row)),))
        others = row.held if tx.stage(row, message.offset, message.data) else ()
        row = evolve(row, held=tuple(Ranges([*others, (message.offset, end)])))
        tx.save_file(row, at_ms=at_ms)
        if row.fin and _whole(row):
            return Outcome(finish=Complete(dev, fid))
        return Outcome(replies=(_about(dev, _progress(tx, row)),))

    def _fin(self, tx: Transaction, message: FinIn, at_ms: int) -> Outcome:
        dev, fid = message.dev, message.fid
        row = tx.file(dev, fid)
        if row is None or row.state is FileState.ABORTED:
            return Outcome(replies=(_about(dev, _unknown(fid)),))
        if message.size != row.size or message.sha256 not in (None, row.sha256):
            why = "fin tells another size or sha256 than init"
            return Outcome(replies=(_about(dev, _rejected(fid, why)),), news=(f"{dev}: {fid}: {why}",))
        if row.state is FileState.STORED:
            return Outcome(replies=(_about(dev, _stored(tx, row)),))
        if _whole(row):
            return Outcome(finish=Complete(dev, fid))
        if not row.fin and not row.busy:
            row = evolve(row, fin=True)
            tx.save_file(row, at_ms=at_ms)
        return Outcome(replies=(_about(dev, _progress(tx, row)),))

    def _store(self, tx: Transaction, row: FileRow, at_ms: int) -> Outcome:
        tx.keep(row)
        row = evolve(row, state=FileState.STORED, held=((0, row.size),))
        tx.save_file(row, at_ms=at_ms)
        return Outcome(replies=(_about(row.dev, _stored(tx, row)),))

    def _check(self, tx: Transaction, message: CheckIn) -> Outcome:
        """Reads a stored file where it lies: `offhook sync test` asks for it."""
        row = tx.file(message.dev, message.fid)
        if row is None or row.state is FileState.ABORTED:
            return Outcome(replies=(_about(message.dev, _unknown(message.fid)),))
        if row.state is not FileState.STORED:
            return Outcome(replies=(_about(message.dev, _progress(tx, row)),))
        found = tx.assembled(row)
        if found == row.sha256:
            return Outcome(replies=(_about(message.dev, evolve(_stored(tx, row), desc=wire.CHECKED)),))
        why = "what is stored is not there any more" if found is None else f"what is stored has the sha256 {found}"
        return Outcome(
            replies=(_about(message.dev, _rejected(message.fid, why)),), news=(f"{message.dev}: {message.fid}: {why}",)
        )

    def _abort(self, tx: Transaction, message: AbortIn, at_ms: int) -> Outcome:
        row = tx.file(message.dev, message.fid)
        if row is not None and row.state is FileState.RECEIVING and not row.busy:
            tx.discard(row)
            tx.save_file(evolve(row, state=FileState.ABORTED, held=()), at_ms=at_ms)
        return Outcome()

    def _pause(self, dev: str, fid: str, row: FileRow | None, why: str) -> Outcome:
        ack = wire.FileAck(
            f=fid,
            state="receiving",
            have=row.held if row else (),
            rc=wire.RC_PAUSE,
            desc=why[:200],
            retry_s=self._limits.retry_full_s,
        )
        return Outcome(replies=(_about(dev, ack),), news=(f"{dev}: {fid} must wait: {why}",))


def wishes_for(tx: Transaction, dev: str, *, known: int | None, at_ms: int) -> list[Reply]:
    """The settings that the operator wishes for, unless the box has that version, and every open command."""
    replies = []
    desired = tx.desired(dev)
    if desired and desired[0] != known:
        wish = wire.Desired(ver=desired[0], document=desired[1])
        replies.append(Reply(topic=topics.build(topics.DesiredTopic(dev)), message=wish))
    pending = tx.commands(dev, at_ms=at_ms)
    return replies + [Reply(topic=topics.build(topics.CommandTopic(dev)), message=one.payload) for one in pending]


def coalesced(replies: Sequence[Reply]) -> list[Reply]:
    """The last word on each file, and one acknowledgement for the records of an epoch: what a commit says at once."""
    merged_replies: dict[tuple[object, ...], Reply] = {}
    for n, reply in enumerate(replies):
        message = reply.message
        match message:
            case wire.FileAck():
                key: tuple[object, ...] = (reply.topic, "f", message.f)
                merged_replies.pop(key, None)
            case wire.RecordsAck():
                key = (reply.topic, "ev", message.epoch)
                earlier = merged_replies.pop(key, None)
                if earlier is not None and isinstance(earlier.message, wire.RecordsAck):
                    message = evolve(
                        message,
                        seq=tuple(sorted({*earlier.message.seq, *message.seq})),
                        rejected=earlier.message.rejected + message.rejected,
                    )
            case _:
                key = (reply.topic, n)
        merged_replies[key] = Reply(topic=reply.topic, message=message)
    return list(merged_replies.values())


def _whole(row: FileRow) -> bool:
    return Ranges(row.held).covers(0, row.size)


def _about(dev: str, ack: wire.Ack) -> Reply:
    return Reply(topic=topics.build(topics.AckTopic(dev)), message=ack)


def _progress(tx: Transaction, row: FileRow) -> wire.FileAck:
    if row.state is FileState.STORED:
        return _stored(tx, row)
    return wire.FileAck(f=row.fid, state="receiving", have=row.held)


def _stored(tx: Transaction, row: FileRow) -> wire.FileAck:
    return wire.FileAck(
        f=row.fid, state="stored", have=((0, row.size),), size=row.size, sha256=row.sha256, store=tx.store_epoch
    )


def _unknown(fid: str) -> wire.FileAck:
    return wire.FileAck(f=fid, state="receiving", rc=wire.RC_RESEND_ALL, desc="this file was not announced: send init")


def _rejected(fid: str, why: str) -> wire.FileAck:
    return wire.FileAck(f=fid, state="rejected", rc=wire.RC_REJECTED, desc=why)
