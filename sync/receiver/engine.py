"""Handles messages in groups: one commit for many, and every answer only after it."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Sequence

from attrs import frozen

from sync.receiver.core import Outcome, Receiver, Reply, coalesced
from sync.receiver.inbound import parse
from sync.receiver.messages import Inbound, Poison
from sync.receiver.storage import Storage, StorageFullError, Transaction
from sync.receiver.suspects import Suspects, message_key

log = logging.getLogger("offhook.receiver")

_UNFIT = (
    sqlite3.IntegrityError,
    sqlite3.ProgrammingError,
    sqlite3.InterfaceError,
    sqlite3.DataError,
    ValueError,
    TypeError,
    LookupError,
    OverflowError,
)
"""What one message's content may provoke. Anything else is a fault of the machine or of this program."""


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

    def process(self, batch: Sequence[Delivery]) -> list[Reply]:
        """What to publish, now that everything in ``batch`` that can be safe is safe.

        Raises `OSError` or `sqlite3.Error` when the machine fails: nothing of the batch counts then.
        """
        together: list[Delivery] = []
        replies: list[Reply] = []
        for delivery in batch:
            if self._suspects.must_be_alone(message_key(delivery.topic, delivery.payload)):
                replies += self._commit(together)
                together = []
                replies += self._commit([delivery])
            else:
                together.append(delivery)
        replies += self._commit(together)
        return coalesced(replies)

    def _commit(self, batch: Sequence[Delivery]) -> list[Reply]:
        if not batch:
            return []
        keys = [message_key(delivery.topic, delivery.payload) for delivery in batch]
        self._suspects.take(keys)
        outcomes: list[Outcome] = []
        try:
            with self._storage.transaction() as tx:
                outcomes = [self._one(tx, delivery, key) for delivery, key in zip(batch, keys, strict=True)]
        except StorageFullError as error:
            log.error("%s", error)
            outcomes = self._all_must_wait(batch)
        self._suspects.clear()
        for key in keys:
            self._suspects.acquit(key)
        for outcome in outcomes:
            for sentence in outcome.news:
                log.warning("%s", sentence)
        return [reply for outcome in outcomes for reply in outcome.replies]

    def _one(self, tx: Transaction, delivery: Delivery, key: str) -> Outcome:
        at_ms = self._now_ms()
        if self._suspects.condemned(key):
            message: Inbound = Poison(
                topic=delivery.topic, reason="this message ended the receiver several times", payload=delivery.payload
            )
        else:
            message = parse(delivery.topic, delivery.payload)
        try:
            with tx.savepoint():
                return self._receiver.handle(tx, message, at_ms=at_ms)
        except StorageFullError:
            return self._receiver.full(tx, message)
        except _UNFIT as error:
            log.exception("a message could not be handled", extra={"offhook": {"topic": delivery.topic[:200]}})
            poison = Poison(
                topic=delivery.topic,
                reason=f"{type(error).__name__}: {error}",
                payload=delivery.payload,
                dev=getattr(message, "dev", None),
                fid=getattr(message, "fid", None),
            )
            with tx.savepoint():
                return self._receiver.refuse(tx, poison, at_ms=at_ms)

    def _all_must_wait(self, batch: Sequence[Delivery]) -> list[Outcome]:
        """Not even the commit found room: the files' boxes are told; records come again by themselves."""
        try:
            with self._storage.transaction() as tx:
                return [self._receiver.full(tx, parse(delivery.topic, delivery.payload)) for delivery in batch]
        except StorageFullError:
            return []
