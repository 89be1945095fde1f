"""Delivers webhooks on a thread of its own: one at a time to each address, so that a slow one holds nobody else up."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from firmware.config_webhooks import WebhookSettings
from firmware.errors import StoreError
from firmware.ports import Clock
from firmware.store.second_writer import SecondWriter
from firmware.worker import Worker
from sync.alarms import Alarms
from sync.hooks import ledger
from sync.hooks.attempt import Outcome, judge, post
from sync.hooks.ledger import Due
from sync.hooks.signing import headers

log = logging.getLogger("offhook.webhooks")

LOOK_S = 0.5
AT_ONCE = 4
GIVE_UP_S = 60.0
"""An answer that trickles in for longer than this is none."""
STORE_REST_S = 10.0


class Postman:
    def __init__(self, data_dir: Path, clock: Clock, alarms: Alarms, *, version: str) -> None:
        self._database = data_dir / "offhook.db"
        self._clock = clock
        self._alarms = alarms
        self._agent = f"Offhook/{version}"
        self._lock = threading.Lock()
        self._hooks: tuple[WebhookSettings, ...] = ()
        self._known: tuple[WebhookSettings, ...] | None = None
        self._out: dict[str, tuple[Due, float]] = {}
        """By webhook: what is on its way, and since when."""
        self._back: queue.SimpleQueue[tuple[Due, Outcome]] = queue.SimpleQueue()
        self._worker = Worker("webhooks", self._run)

    def start(self) -> None:
        self._worker.start()

    def stop(self) -> None:
        """What is on its way is delivered again after the next start, under the same id."""
        self._worker.stop()

    def use(self, hooks: Sequence[WebhookSettings]) -> None:
        """The webhooks of the settings in force."""
        with self._lock:
            self._hooks = tuple(hooks)

    def _run(self, stop: threading.Event) -> None:
        writer: SecondWriter | None = None
        try:
            while not stop.is_set():
                with self._lock:
                    hooks = self._hooks
                if writer is None and not hooks:
                    stop.wait(LOOK_S)
                    continue
                try:
                    writer = writer or SecondWriter(self._database, self._clock)
                    self._turn(writer, hooks)
                except StoreError as error:
                    log.warning("webhooks wait for the database: %s", error)
                    stop.wait(STORE_REST_S)
        finally:
            if writer is not None:
                writer.close()

    def _turn(self, writer: SecondWriter, hooks: tuple[WebhookSettings, ...]) -> None:
        self._take_back(writer, wait_s=LOOK_S)
        if hooks != self._known:
            writer.write(ledger.know(hooks))
            self._known = hooks
        if hooks and ledger.news(writer.db, hooks):
            writer.write(ledger.gather(hooks))
        now_ms = self._clock.now().utc_ms
        for hook in hooks:
            if len(self._out) >= AT_ONCE:
                break
            if hook.id not in self._out and (delivery := ledger.due(writer.db, hook, now_ms)):
                self._send(delivery)
        self._alarms.deliver(self._clock.now().boot_ns / 1e9)

    def _send(self, delivery: Due) -> None:
        self._out[delivery.webhook] = (delivery, time.monotonic())
        stamp_s = self._clock.now().utc_ms // 1000
        head = headers(delivery.secrets, message=delivery.id, timestamp_s=stamp_s, body=delivery.body)

        def attempt(_stop: threading.Event) -> None:
            self._back.put((delivery, post(delivery.url, head, delivery.body, agent=self._agent)))

        Worker(f"webhook-{delivery.webhook}", attempt).start()

    def _take_back(self, writer: SecondWriter, *, wait_s: float) -> None:
        try:
            while True:
                delivery, outcome = self._back.get(timeout=wait_s)
                wait_s = 0.001
                known = self._out.get(delivery.webhook)
                if known is not None and known[0] is delivery:  # else it was given up
                    self._over(writer, delivery, outcome)
        except queue.Empty:
            pass
        for delivery, since_s in list(self._out.values()):
            if time.monotonic() - since_s > GIVE_UP_S:
                self._over(
                    writer, delivery, Outcome(None, f"no answer within {GIVE_UP_S:g} s", round(GIVE_UP_S * 1000))
                )

    def _over(self, writer: SecondWriter, delivery: Due, outcome: Outcome) -> None:
        del self._out[delivery.webhook]
        verdict = judge(outcome, delivery.attempts)
        writer.write(ledger.happened(delivery, outcome, verdict))
        if verdict.state == "delivered":
            self._alarms.resolve("sync_webhook", delivery.webhook)
        elif verdict.state == "failed":
            host = urlsplit(delivery.url).hostname
            why = "it says that it wants no more (410)" if verdict.gone else outcome.error
            now_s = self._clock.now().boot_ns / 1e9
            self._alarms.raise_alarm("sync_webhook", delivery.webhook, f"{host}: {why}", now_s=now_s)
