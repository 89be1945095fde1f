"""The thread between the broker and the storage: gathers what has come, commits once, then answers."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence

from attrs import frozen

from firmware.worker import Worker
from sync.receiver.core import Reply
from sync.receiver.engine import Delivery, Engine

log = logging.getLogger("offhook.receiver")

_IDLE_S = 0.5
_QUEUE = 4096


@frozen(kw_only=True)
class GroupCommit:
    """How long the first message of a group waits for others, and how many there may be."""

    wait_s: float = 0.02
    messages: int = 64


class Intake:
    """``publish`` sends replies to boxes; ``idle`` is called twice a second and may add replies of its own."""

    def __init__(
        self,
        engine: Engine,
        *,
        publish: Callable[[Sequence[Reply]], None],
        idle: Callable[[], Sequence[Reply]],
        group: GroupCommit,
    ) -> None:
        self._engine = engine
        self._publish = publish
        self._idle = idle
        self._group = group
        self._queue: queue.Queue[Delivery] = queue.Queue(_QUEUE)
        self._worker = Worker("receiver-intake", self._run)
        self.handled = 0
        """Messages since the start."""

    def start(self) -> None:
        self._worker.start()

    def stop(self) -> None:
        self._worker.stop(10.0)

    @property
    def alive(self) -> bool:
        return self._worker.alive

    def put(self, delivery: Delivery, *, deadline_s: float = 30.0) -> bool:
        """False when there is no room in time: the message is as if it had been lost on the way."""
        try:
            self._queue.put(delivery, timeout=deadline_s)
        except queue.Full:
            return False
        return True

    def _run(self, stop: threading.Event) -> None:
        looked_s = time.monotonic()
        while not stop.is_set():
            batch = self._gather()
            if batch:
                for replies in self._engine.process(batch):
                    self._publish(replies)
                for delivery in batch:
                    delivery.done()
                self.handled += len(batch)
            if time.monotonic() - looked_s >= _IDLE_S:
                looked_s = time.monotonic()
                self._publish(self._idle())

    def _gather(self) -> list[Delivery]:
        try:
            batch = [self._queue.get(timeout=_IDLE_S)]
        except queue.Empty:
            return []
        end_s = time.monotonic() + self._group.wait_s
        while len(batch) < self._group.messages:
            left_s = end_s - time.monotonic()
            try:
                batch.append(self._queue.get(timeout=left_s) if left_s > 0 else self._queue.get_nowait())
            except queue.Empty:
                break
        return batch
