"""Handles messages in groups: one commit for many, and every answer only after it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence

from attrs import frozen

from sync.receiver.core import Complete, Outcome, Receiver, Reply, coalesced
from sync.receiver.inbound import parse
from sync.receiver.messages import Inbound, Poison
from sync.receiver.storage import Storage, StorageAwayError, StorageFullError, Transaction
from sync.receiver.suspects import Suspects, message_key

log = logging.getLogger("offhook.receiver")

_UNFIT = (ValueError, TypeError, LookupError, OverflowError)
"""What one message's content may provoke, beside what the database says about it. Anything else is a fault of the
machine or of this program."""


@frozen
class Delivery:
    """A message as the broker handed it over."""

    topic: str
    payload: bytes
    done: Callable[[], None] = lambda: None
    """Called when it needs no redelivery: its answers are out, or nobody will ever answer it."""


class Engine:
    """Used by one thread."""

    def __init__(self, storage: Storage, receiver: Receiver, *, suspects: Suspects, now_ms: Callable[[], int]) -> None:
        self._storage = storage
        self._receiver = receiver
        self._suspects = suspects
        self._now_ms = now_ms
        self._unfit: tuple[type[Exception], ...] = (*_UNFIT, *storage.unfit)
        self._refused: tuple[type[Exception], ...] = (StorageFullError, *self._unfit)

    def process(self, batch: Sequence[Delivery]) -> Iterator[list[Reply]]:
        """What to publish after each commit. At the end everything in ``batch`` that can be safe is safe.

        Raises what the machine's faults raise: what was not yet answered does not count then.
        """
        together: list[Delivery] = []
        for delivery in batch:
            if self._suspects.must_be_alone(message_key(delivery.topic, delivery.payload)):
                yield from self._commit(together)
                together = []
                yield from self._commit([delivery])
            else:
                together.append(delivery)
        yield from self._commit(together)

    def _commit(self, batch: Sequence[Delivery]) -> Iterator[list[Reply]]:
        """One commit for all, then one for each file that is complete with it: hashing a long recording, or sending
        it to an object store, holds up nobody's record."""
        if not batch:
            return
        batch = sorted(batch, key=sender)  # a box's own messages keep their order
        keys = [message_key(delivery.topic, delivery.payload) for delivery in batch]
        self._suspects.take(keys)
        messages = [self._message(delivery, key) for delivery, key in zip(batch, keys, strict=True)]
        outcomes: Sequence[Outcome] = ()
        try:
            outcomes = self._together(messages) or self._one_by_one(batch, messages)
        except StorageFullError as error:
            log.error("%s", error)
            outcomes = self._all_must_wait(messages, error)
        _tell(outcomes)
        yield coalesced([reply for outcome in outcomes for reply in outcome.replies])
        for file in dict.fromkeys(outcome.finish for outcome in outcomes if outcome.finish):
            outcomes = self._finish(file)
            _tell(outcomes)
            yield [reply for outcome in outcomes for reply in outcome.replies]
        self._suspects.clear()
        for key in keys:
            self._suspects.acquit(key)

    def _finish(self, file: Complete) -> Sequence[Outcome]:
        try:
            with self._storage.transaction() as tx:
                return [self._receiver.finish(tx, file, at_ms=self._now_ms())]
        except StorageFullError as error:
            log.error("%s", error)
            return self._all_must_wait([file], error)

    def _message(self, delivery: Delivery, key: str) -> Inbound:
        if self._suspects.condemned(key):
            return Poison(
                topic=delivery.topic, reason="this message ended the receiver several times", payload=delivery.payload
            )
        return parse(delivery.topic, delivery.payload)

    def _together(self, messages: Sequence[Inbound]) -> list[Outcome]:
        """Nearly always all of them are well, and nobody pays for the means to undo one. Nothing when one is not."""
        try:
            with self._storage.transaction() as tx:
                return [self._handled(tx, message) for message in messages]
        except StorageAwayError:
            raise
        except self._refused:
            return []

    def _one_by_one(self, batch: Sequence[Delivery], messages: Sequence[Inbound]) -> list[Outcome]:
        with self._storage.transaction() as tx:
            return [self._one(tx, delivery, message) for delivery, message in zip(batch, messages, strict=True)]

    def _handled(self, tx: Transaction, message: Inbound) -> Outcome:
        dev = getattr(message, "dev", None)
        if dev is not None:
            tx.enter(dev)
        return self._receiver.handle(tx, message, at_ms=self._now_ms())

    def _one(self, tx: Transaction, delivery: Delivery, message: Inbound) -> Outcome:
        try:
            with tx.savepoint():
                return self._handled(tx, message)
        except StorageAwayError:
            raise  # nothing more can be asked in this transaction
        except StorageFullError as error:
            return self._receiver.full(tx, message, error)
        except self._unfit as error:
            log.exception("a message could not be handled", extra={"offhook": {"topic": delivery.topic[:200]}})
            poison = Poison(
                topic=delivery.topic,
                reason=f"{type(error).__name__}: {error}",
                payload=delivery.payload,
                dev=getattr(message, "dev", None),
                fid=getattr(message, "fid", None),
            )
            with tx.savepoint():
                return self._receiver.refuse(tx, poison, at_ms=self._now_ms())

    def _all_must_wait(self, messages: Sequence[Inbound | Complete], why: StorageFullError) -> list[Outcome]:
        """Not even the commit found room: the files' boxes are told; records come again by themselves."""
        try:
            with self._storage.transaction() as tx:
                return [self._receiver.full(tx, message, why) for message in messages]
        except StorageFullError:
            return []


def _tell(outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        for sentence in outcome.news:
            log.warning("%s", sentence)


def sender(delivery: Delivery) -> str:
    """What a topic says of its sender: messages are taken in this order, so that no two receivers wait for each
    other's boxes."""
    return delivery.topic.split("/", 2)[1] if "/" in delivery.topic else ""
