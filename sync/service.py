"""The sync process: runs the agent while the settings name a cloud, and starts it anew when they change."""

from __future__ import annotations

import logging
import signal
import threading
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import attrs

from firmware import log as logs
from firmware.clock import SystemClock
from firmware.config_home_assistant import HomeAssistantSettings
from firmware.config_sync import CloudPart, SyncSettings, sync_part
from firmware.errors import OffhookError
from firmware.ipc.client import RecorderClient
from firmware.notify import Notifier
from sync import wire
from sync.agent import About, Agent
from sync.alarms import Alarms
from sync.certificate import watch_certificate
from sync.claim import NoAnswerError, ask
from sync.desk import Desk, Wish
from sync.home_assistant import HomeAssistant
from sync.hooks import ledger
from sync.hooks.postman import Postman
from sync.identity import BoxIdentity, UnfitError, utc_now
from sync.longer import wishes_dir
from sync.mqtt import CredentialsError
from sync.outbox import Outbox, note

log = logging.getLogger("offhook.sync")

IDLE_S = 1.0
SETTINGS_S = 5.0
CERTIFICATE_S = 3600.0
_DEVICE = "device_id"


def main(data_dir: Path, run_dir: Path) -> int:
    """Runs until SIGTERM or SIGINT. Raises `StoreError` when there is no database of this version at the start."""
    logs.set_up("offhook-sync")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    service = _Service(data_dir, run_dir, stop)
    try:
        service.run()
    finally:
        service.close()
    return 0


class _Service:
    def __init__(self, data_dir: Path, run_dir: Path, stop: threading.Event) -> None:
        self._clock = SystemClock()
        self._data_dir = data_dir
        self._wishes = wishes_dir(run_dir)
        self._backlog = {"records": 0, "files": 0}
        """Read by other threads, replaced as a whole."""
        self._home: tuple[HomeAssistantSettings, HomeAssistant] | None = None
        self._claim_s = 0.0
        self._claim_problem = ""
        self._socket = run_dir / "recorder.sock"
        self._stop = stop
        self._notifier = Notifier()
        self._outbox = Outbox(data_dir, self._clock)
        self._desk = Desk(run_dir, elsewhere=self._about_webhooks)
        self._alarms = Alarms(self._socket)
        self._postman = Postman(data_dir, self._clock, Alarms(self._socket), version=_version())
        self._settings_s = 0.0
        self._certificate_s = 0.0

    def run(self) -> None:
        in_force, document = self._outbox.settings()
        part = sync_part(document)
        settings = part.sync
        self._notifier.ready(self._say(settings))
        log.info(self._say(settings))
        lost = self._outbox.sweep()
        for recording in lost:
            self._alarms.raise_alarm("sync_file_lost", recording, "its file is gone", now_s=self._now_s())
        self._postman.start()
        while not self._stop.is_set():
            in_force, document = self._outbox.settings()
            part = sync_part(document)
            settings = part.sync
            self._postman.use(part.webhooks)
            self._tell_home(part)
            dev = self._device_id(settings) if settings.enabled else None
            if dev is None:
                self._rest(settings)
            else:
                self._work(settings, zone=part.time_zone, dev=dev, in_force=in_force)
        self._notifier.stopping()

    def close(self) -> None:
        self._postman.stop()
        if self._home:
            self._home[1].stop()
        self._desk.close()
        self._outbox.close()

    def _rest(self, settings: SyncSettings) -> None:
        """No cloud is configured, or nobody could tell yet who this box is."""
        waiting = self._outbox.waiting(settings.audio)
        self._backlog = {"records": waiting.events, "files": waiting.files}
        status: dict[str, Any] = {"enabled": settings.enabled, "phase": "off", "records": waiting.events}
        status |= {"files": waiting.files, "bytes": waiting.bytes, "set_aside": waiting.set_aside}
        self._desk.show(status | {"last_error": self._say(settings)})
        for wish in self._desk.wishes():
            self._desk.answer(wish, {"ok": False, "error": self._say(settings)})
        self._notifier.watchdog()
        self._notifier.status(self._say(settings))
        self._stop.wait(IDLE_S)

    def _work(self, settings: SyncSettings, *, zone: str, dev: str, in_force: int) -> None:
        """Until the settings change or the process is to end."""
        self._outbox.dev = dev
        identity = None
        if settings.claim_cert_file and not settings.cert_file:
            identity = BoxIdentity(self._data_dir, dev)
            if identity.pair() is None and not self._claimed(settings, dev, identity):
                self._rest(settings)
                return
        agent = Agent(
            settings,
            zone=zone,
            about=About(dev, _version(), self._socket, self._data_dir, self._wishes),
            box=self._outbox,
            clock=self._clock,
            alarms=self._alarms,
            desk=self._desk,
            identity=identity,
        )
        self._claim_problem = ""
        log.info("sending to %s:%d as %s", settings.host, settings.broker_port, dev)
        try:
            while not self._stop.is_set() and not self._changed(in_force):
                agent.turn()
                self._notifier.watchdog()
                self._backlog = agent.backlog
                self._now_and_then(_with_pair(settings, identity), dev, agent)
        finally:
            agent.stop()

    def _claimed(self, settings: SyncSettings, dev: str, identity: BoxIdentity) -> bool:
        """Whether this box has its own certificate now; asks for it no more often than every minute."""
        if self._now_s() < self._claim_s:
            return False
        self._claim_s = self._now_s() + settings.probe_s
        name, csr = identity.request()
        try:
            request = wire.CertRequest(id=name, csr=csr, sw=_version())
            answer = ask(settings, dev=dev, request=request, stop=self._stop)
            if answer.state == "issued" and answer.cert:
                identity.take(name, answer.cert, utc_now(self._clock.now().utc_ns))
                self._alarms.resolve("sync_not_allowed", dev)
                return True
            why = answer.desc or "somebody has to agree there"
            self._claim_problem = f"the cloud has not given this box a certificate yet ({answer.state}): {why}"
            self._claim_s = self._now_s() + max(settings.probe_s, answer.retry_s)
            refused = answer.state == "refused"
        except (NoAnswerError, CredentialsError, UnfitError) as error:
            self._claim_problem, refused = str(error), not isinstance(error, NoAnswerError)
        log.warning("%s", self._claim_problem)
        if refused:
            self._alarms.raise_alarm("sync_not_allowed", dev, self._claim_problem, now_s=self._now_s())
            self._alarms.deliver(self._now_s())
        return False

    def _changed(self, in_force: int) -> bool:
        if self._now_s() < self._settings_s:
            return False
        self._settings_s = self._now_s() + SETTINGS_S
        return self._outbox.settings()[0] != in_force

    def _now_and_then(self, settings: SyncSettings, dev: str, agent: Agent) -> None:
        now_s = self._now_s()
        if now_s >= self._certificate_s:
            self._certificate_s = now_s + CERTIFICATE_S
            watch_certificate(settings, dev, self._alarms, now=self._clock.now())
            self._notifier.status(_one_line(agent.status()))

    def _tell_home(self, part: CloudPart) -> None:
        """Home Assistant as the settings in force have it."""
        wanted = part.home_assistant
        if self._home and self._home[0] == wanted:
            return
        if self._home:
            self._home[1].stop()
            self._home = None
        dev = self._device_id(part.sync) if wanted.enabled else None
        if dev is None:
            return
        speaker = HomeAssistant(
            wanted,
            dev=dev,
            box_name=part.box_name,
            version=_version(),
            socket=self._socket,
            backlog=lambda: self._backlog,
        )
        speaker.start()
        self._home = (wanted, speaker)

    def _about_webhooks(self, wish: Wish) -> dict[str, Any] | None:
        if not wish.what.startswith("webhook."):
            return None
        try:
            mark, answer = ledger.wish(self._outbox.db, wish.what, wish.args, self._clock.now().utc_ms)
            self._outbox.write([mark])
        except OffhookError as error:
            return {"ok": False, "error": str(error)}
        return {"ok": True, **answer}

    def _device_id(self, settings: SyncSettings) -> str | None:
        """The settings' own, or the recorder's word, or what it said an earlier time."""
        if settings.box_id:
            return settings.box_id
        known = self._outbox.note(_DEVICE)
        try:
            with RecorderClient(self._socket, 2.0) as client:
                told = str(client.request("hello")["device_id"])
        except OffhookError as error:
            if known is None:
                log.warning("cannot learn this box's id: %s", error)
            return known
        if told != known:
            self._outbox.write([note(_DEVICE, told)])
        return told

    def _say(self, settings: SyncSettings) -> str:
        waiting = self._outbox.waiting(settings.audio)
        if not settings.enabled:
            return f"no cloud is configured; {waiting} are kept for one"
        if self._claim_problem:
            return self._claim_problem
        return f"{waiting} wait for {settings.host}"

    def _now_s(self) -> float:
        return self._clock.now().boot_ns / 1e9


def _one_line(status: dict[str, Any]) -> str:
    return f"{status['phase']}: {status['records']} messages and {status['files']} recordings wait"


def _with_pair(settings: SyncSettings, identity: BoxIdentity | None) -> SyncSettings:
    pair = identity.pair() if identity else None
    return attrs.evolve(settings, cert_file=str(pair.cert), key_file=str(pair.key)) if pair else settings


def _version() -> str:
    try:
        return version("offhook")
    except PackageNotFoundError:
        return "0"
