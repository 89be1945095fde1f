"""The receiver's process: storage, intake and broker put together, run until it is told to stop."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Sequence

from firmware import log as logs
from firmware.notify import Notifier
from sync import topics, wire
from sync.receiver.broker import Broker
from sync.receiver.core import Receiver, Reply
from sync.receiver.engine import Engine
from sync.receiver.intake import Intake
from sync.receiver.settings import Settings
from sync.receiver.sqlite_storage import SqliteStorage
from sync.receiver.suspects import Suspects

log = logging.getLogger("offhook.receiver")

_LOOK_EVERY_S = 0.5


class Service:
    """Everything between the broker and the disk. Raises `StoreError` when the storage cannot be used."""

    def __init__(self, settings: Settings) -> None:
        reserve_bytes = settings.storage.reserve_mb * 1_000_000
        self.storage = SqliteStorage(settings.storage.data, reserve_bytes=reserve_bytes)
        self._suspects = Suspects(settings.storage.data)
        self.broker = Broker(settings.broker)
        self.intake = Intake(
            self.make_engine(settings), publish=self.broker.publish, idle=self._wishes, group=settings.group_commit
        )

    def make_engine(self, settings: Settings) -> Engine:
        """The part that decides and commits."""
        return Engine(self.storage, Receiver(settings.limits), suspects=self._suspects, now_ms=_now_ms)

    def start(self) -> None:
        self.intake.start()
        self.broker.start(deliver=self.intake.put)

    def stop(self) -> None:
        """First nothing new, then what is in hand."""
        self.broker.stop()
        self.intake.stop()
        self._suspects.close()
        self.storage.close()

    @property
    def alive(self) -> bool:
        return self.intake.alive and self.broker.alive

    def _wishes(self) -> Sequence[Reply]:
        """What the operator wants of boxes since the last look; they are asked again after each hello."""
        if not self.broker.connected or not self.storage.has_unsent():
            return ()
        replies: list[Reply] = []
        at_ms = _now_ms()
        with self.storage.transaction() as tx:
            for dev in tx.unsent():
                desired = tx.desired(dev)
                if desired is not None:
                    wish = wire.Desired(ver=desired[0], document=desired[1])
                    replies.append(Reply(topic=topics.build(topics.DesiredTopic(dev)), message=wish))
                commands = tx.commands(dev, at_ms=at_ms)
                replies += [
                    Reply(topic=topics.build(topics.CommandTopic(dev)), message=command.payload) for command in commands
                ]
        return replies


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
    log.info("receiving into %s", settings.storage.data, extra={"offhook": {"store": service.storage.store_epoch}})
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
