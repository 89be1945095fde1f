"""The receiver's process: storages, intakes and broker put together, run until it is told to stop."""

from __future__ import annotations

import logging
import signal
import threading
import time
import zlib
from collections.abc import Sequence

from firmware import log as logs
from firmware.notify import Notifier
from sync.receiver.broker import Broker
from sync.receiver.core import Receiver, Reply, wishes_for
from sync.receiver.engine import Delivery, Engine, sender
from sync.receiver.intake import Intake
from sync.receiver.opening import open_storage
from sync.receiver.settings import Settings
from sync.receiver.storage import Storage, StorageFullError
from sync.receiver.suspects import Suspects

log = logging.getLogger("offhook.receiver")

_LOOK_EVERY_S = 0.5


class Service:
    """Everything between the broker and the disk. Raises `StoreError` when the storage cannot be used.

    With the embedded storage one thread does the work; with PostgreSQL several do, each for boxes of its own.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        workers = 1 if settings.postgres.conninfo is None else settings.postgres.workers
        self.storages = [open_storage(settings, worker=n) for n in range(workers)]
        self._suspects = [self._suspects_of(n, workers) for n in range(workers)]
        self.broker = Broker(settings.broker)
        self._intakes = [
            Intake(
                self.make_engine(storage, suspects),
                publish=self.broker.publish,
                idle=self._wishes if storage is self.storages[0] else tuple,
                group=settings.group_commit,
            )
            for storage, suspects in zip(self.storages, self._suspects, strict=True)
        ]

    def make_engine(self, storage: Storage, suspects: Suspects) -> Engine:
        """The part that decides and commits."""
        return Engine(storage, Receiver(self._settings.limits), suspects=suspects, now_ms=_now_ms)

    def start(self) -> None:
        for intake in self._intakes:
            intake.start()
        self.broker.start(deliver=self._deliver)

    def stop(self) -> None:
        """First nothing new, then what is in hand."""
        self.broker.stop()
        for intake in self._intakes:
            intake.stop()
        for suspects in self._suspects:
            suspects.close()
        for storage in self.storages:
            storage.close()

    @property
    def alive(self) -> bool:
        return self.broker.alive and all(intake.alive for intake in self._intakes)

    def _deliver(self, delivery: Delivery) -> bool:
        """A box stays with one thread, so that its messages keep their order."""
        return self._intakes[zlib.crc32(sender(delivery).encode()) % len(self._intakes)].put(delivery)

    def _suspects_of(self, worker: int, workers: int) -> Suspects:
        folder = self._settings.storage.data / f"worker-{worker}" if workers > 1 else self._settings.storage.data
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Suspects(folder)

    def _wishes(self) -> Sequence[Reply]:
        """What the operator wants of boxes since the last look; they are asked again after each hello."""
        storage = self.storages[0]
        try:
            if not self.broker.connected or not storage.has_unsent():
                return ()
            replies: list[Reply] = []
            at_ms = _now_ms()
            with storage.transaction() as tx:
                for dev in tx.unsent():
                    tx.enter(dev)
                    replies += wishes_for(tx, dev, known=None, at_ms=at_ms)
            return replies
        except StorageFullError as error:
            log.error("%s", error)
            return ()


def main(settings: Settings, *, service_type: type[Service] = Service) -> int:
    """Runs until SIGTERM or SIGINT."""
    logs.set_up("offhook-receiver")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    service = service_type(settings)
    threading.excepthook = lambda hook: _end(hook, stop)
    service.start()
    notifier = Notifier()
    notifier.ready("receiving")
    log.info("receiving", extra={"offhook": {"store": service.storages[0].store_epoch}})
    while not stop.wait(_LOOK_EVERY_S) and service.alive:
        notifier.watchdog()
        notifier.status("receiving" if service.broker.connected else "no connection to the broker")
    well = service.alive
    notifier.stopping()
    if not well:
        return 1
    service.stop()
    return 0


def _end(hook: threading.ExceptHookArgs, stop: threading.Event) -> None:
    """A bug or a broken disk: end, so that systemd starts a clean process. Nothing unanswered was promised."""
    log.critical(
        "thread %s ended: %s", hook.thread.name if hook.thread else "?", hook.exc_value, exc_info=hook.exc_value
    )
    stop.set()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
