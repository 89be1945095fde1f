"""Carries out what the sync machine decides: between the outbox, the files, the broker, and people."""

from __future__ import annotations

import hashlib
import logging
import queue
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import attrs

from firmware.config_sync import ConfirmedBy, FilesBy, SyncSettings, Transport
from firmware.errors import StoreError
from firmware.ports import Clock
from sync import moves, outbox, proof, topics, wire
from sync.alarms import Alarms
from sync.clock import ClockWatch
from sync.desk import Desk, Wish
from sync.dialects import Dialect, Later, OwnFiles
from sync.emqx import FIN_S, EmqxFiles
from sync.identity import BoxIdentity
from sync.interface import interface_of, is_metered
from sync.logs import is_log
from sync.longer import Longer
from sync.machine import SyncMachine
from sync.moves import Phase, QueuedFile, QueuedRecord, Timing
from sync.mqtt import Acknowledged, Arrived, Closed, Connection, CredentialsError, Happening, Loss, Opened
from sync.orders import CONFIG_VERSION, Deeds, Orders
from sync.outbox import DueFile, DueRecord, Mark, Outbox
from sync.pacing import Pacing, Schedule, minutes_of
from sync.proof import Proof
from sync.renewal import Renewal
from sync.s3.bucket import Bucket
from sync.s3.job import Event
from sync.topics import WireError
from sync.volume import PACKET_BYTES, Volume

log = logging.getLogger("offhook.sync")

LOOK_S = 0.25
"""How often the outbox is looked at while nothing happens."""
SHOW_S = 2.0
STATUS_S = 300.0
SYNCHRONIZED = Path("/run/systemd/timesync/synchronized")
"""systemd-timesyncd touches it once it has set the clock."""
CLOCK_AGREES_MS = 120_000
SUSPECTS = 3
FALL_BACK_S = 24 * 3600.0
EARLY_CLOSES = 2
TAKEOVERS, TAKEOVER_S, TAKEOVER_REST_S = 5, 60.0, 600.0
SHORT_LIVED_S = 10.0
STORE_REST_S = 10.0
_PAUSED = "paused_until_ms"
_FOR_EVER_MS = 2**53
_ERROR_KEYS = {
    Loss.LINK: "link",
    Loss.REFUSED: "not_allowed",
    Loss.PROTOCOL: "hung_up",
    Loss.TAKEN_OVER: "same_identity",
}


@dataclass(frozen=True, slots=True)
class About:
    """Who speaks, and where things are."""

    dev: str
    version: str
    socket: Path
    data_dir: Path
    wishes: Path
    """Where wishes to the system are left (`sync.longer`)."""


class Agent:
    """One set of settings' worth of sync. Everything runs on the thread that calls `turn`, but paho's own."""

    def __init__(
        self,
        settings: SyncSettings,
        *,
        zone: str,
        about: About,
        box: Outbox,
        clock: Clock,
        alarms: Alarms,
        desk: Desk,
        identity: BoxIdentity | None = None,
    ) -> None:
        self._settings = settings
        self._identity = identity
        self._renewal = Renewal(identity, send=self._ask_for_certificate, reconnect=self._reconnect)
        self._zone = ZoneInfo(zone)
        self._about = about
        self._outbox = box
        self._clock = clock
        self._alarms = alarms
        self._desk = desk
        self._inbox: queue.SimpleQueue[Happening] = queue.SimpleQueue()
        self._machine = _machine(settings, pipe=self._pipe)
        self._dialect = self._make_dialect()
        self._volume = Volume(box, self._zone, day_mb=settings.day_mb, month_mb=settings.month_mb)
        self._interface: str | None = None
        self._bucket = Bucket(settings, about.dev, box, _BucketHost(self)) if settings.files_by is FilesBy.S3 else None
        deeds = Deeds(now=self._hurry, pause=self._pause, resume=self._resume, status=self.status)
        self._orders = Orders(
            box,
            about.socket,
            deeds,
            longer=Longer(about.data_dir, about.wishes, box.boot_no(), self._renewal),
            data_dir=about.data_dir,
            allow_erase=settings.allow_erase,
        )
        self._clock_watch = ClockWatch(about.wishes / "network-time", about.socket, trusted=_is_private(settings))
        self._connection: Connection | None = None
        self._connections = 0
        self._tokens: dict[int, int] = {}
        self._records: dict[int, DueRecord] = {}
        self._files: dict[str, DueFile] = {}
        self._marks: list[Mark] = []
        self._suspects: dict[str, int] = {}
        self._proof: Proof | None = None
        self._look_s = self._show_s = self._tell_s = self._rest_until_s = 0.0
        self._early_closes = 0
        self._v3_until_s = 0.0
        self._taken_over_s: list[float] = []
        self._opened_s = 0.0
        self._started_s = self._heard_s = self._now_s()
        self._last_answer_ms: int | None = None
        self._cloud_ahead_ms: int | None = None
        """The cloud's clock minus ours; None before its first word."""
        self._last_error = self._error_key = ""
        self._last_test: dict[str, Any] | None = None
        self.backlog = {"records": 0, "files": 0}
        """As last seen; replaced as a whole."""
        self._restore_pause()

    # One turn of the loop --------------------------------------------------------------------------------------------

    def turn(self) -> None:
        """Waits for the next thing to do, at most `LOOK_S`, and does it."""
        now_s = self._now_s()
        wait_s = min(max(self._machine.deadline_s(now_s) - now_s, 0.0), LOOK_S)
        for happening in self._happenings(wait_s):
            self._happened(happening)
        now_s = self._now_s()
        try:
            if now_s >= self._rest_until_s:
                self._do(self._machine.tick(now_s, minute=self._minute()))
                self._offer(now_s)
            if self._bucket:
                self._commit()
                self._bucket.turn(now_s, closed=self._machine.audio_closed_because(now_s))
            self._commit()
            self._wishes(now_s)
            self._look_after(now_s)
        except StoreError as error:
            # Nothing is lost: what was acknowledged meanwhile is sent again, and the cloud has it only once.
            self._failed(f"the database refuses: {error}", "database")
            self._marks.clear()
            self._drop(now_s)
            self._rest_until_s = now_s + STORE_REST_S

    def stop(self) -> None:
        """Says goodbye and commits what is known."""
        if self._connection is not None and self._machine.phase in (Phase.GREETING, Phase.READY, Phase.AWAY):
            self._publish_status("disconnected")
        self._close()
        if self._bucket:
            self._bucket.stop()
        try:
            self._marks += self._volume.marks(self._utc_ms())
            self._commit()
        except StoreError as error:
            log.warning("not stored at the end: %s", error)

    def status(self) -> dict[str, Any]:
        """What `offhook sync status` shows."""
        now_s = self._now_s()
        waiting = self._outbox.waiting(self._settings.audio)
        age_s = None if waiting.oldest_utc_ms is None else max(0, self._utc_ms() - waiting.oldest_utc_ms) / 1000
        return {
            "enabled": True,
            "phase": str(self._machine.phase),
            "box_id": self._about.dev,
            "broker": f"{self._settings.host}:{self._settings.broker_port}",
            "mqtt": None if self._connection is None else "5" if self._connection.v5 else "3.1.1",
            "records": waiting.events,
            "files": waiting.files,
            "bytes": waiting.bytes,
            "set_aside": waiting.set_aside,
            "oldest_s": age_s,
            "last_answer_utc_ms": self._last_answer_ms,
            "last_error": self._last_error or None,
            "last_error_key": self._error_key or None,
            "paused": now_s < self._machine.pacing.paused_until_s,
            "test": {"running": True} if self._proof else self._last_test,
            "files_by": self._settings.files_by.value,
            "upload_child": self._bucket.used if self._bucket else None,
            "confirmed_by": self._settings.confirmed_by.value,
            "interface": self._interface,
            **self._volume.shown(self._utc_ms()),
            "audio_waits_for": self._machine.audio_closed_because(now_s),
            "bytes_per_s": None if self._machine.link.goodput is None else round(self._machine.link.goodput),
        }

    # What came -------------------------------------------------------------------------------------------------------

    def _happenings(self, wait_s: float) -> list[Happening]:
        found = []
        try:
            found.append(self._inbox.get(timeout=wait_s) if wait_s else self._inbox.get_nowait())
            while len(found) < 256:
                found.append(self._inbox.get_nowait())
        except queue.Empty:
            pass
        return found

    def _happened(self, happening: Happening) -> None:
        if self._connection is None or happening.connection != self._connection.number:
            return
        now_s = self._now_s()
        match happening:
            case Opened(_, max_packet, receive_max):
                self._early_closes = 0
                self._opened_s = now_s
                self._publish_status("ready")
                self._see_interface()
                self._do(self._machine.connected(now_s, max_packet=max_packet, receive_max=receive_max))
            case Closed(_, loss, why):
                self._closed(loss, why, now_s)
            case Acknowledged(_, mid, rc):
                token = self._tokens.pop(mid, None)
                if token is not None:
                    self._do(self._machine.published(now_s, token, rc))
            case Arrived(_, topic, payload):
                self._arrived(topic, payload, now_s)

    def _arrived(self, topic: str, payload: bytes, now_s: float) -> None:
        try:
            if topic in self._dialect.filters:
                self._answered(topic, payload, now_s)
                return
            match topics.parse(topic):
                case topics.AckTopic(self._about.dev):
                    self._acknowledged(wire.parse_ack(payload), now_s)
                case topics.DesiredTopic(self._about.dev):
                    desired = wire.parse(payload, wire.Desired)
                    report = self._orders.put_in_force(desired, allowed=self._settings.take_settings)
                    if report:
                        self._publish(topics.ReportedTopic(self._about.dev), wire.build(report), wire.JSON_TYPE)
                case topics.CertTopic(self._about.dev):
                    self._renewal.answered(wire.parse(payload, wire.CertAnswer), self._clock.now())
                case topics.CommandTopic(self._about.dev):
                    self._command(wire.parse(payload, wire.Command))
        except (WireError, StoreError) as error:
            # A stranger's bytes, or a disk that is full: neither may end the process.
            self._failed(f"{topic}: {error}")

    def _answered(self, topic: str, payload: bytes, now_s: float) -> None:
        """A broker that keeps files itself."""
        answer = self._dialect.answer(topic, payload)
        if isinstance(answer, Later):
            self._machine.withdraw(answer.fid)
            self._marks.append(outbox.keep_have(answer.fid, None))
            self._postpone(answer.fid, answer.wait_s, answer.why)
        elif answer is not None:
            self._acknowledged(answer, now_s)

    def _acknowledged(self, ack: wire.Ack, now_s: float) -> None:
        self._heard_s = now_s
        self._last_answer_ms = self._utc_ms()
        if isinstance(ack, wire.RecordsAck) and ack.epoch != self._outbox.epoch:
            return
        if isinstance(ack, wire.HelloAck):
            self._cloud_ahead_ms = ack.srv_ms - self._utc_ms()
            self._clock_watch.told(ack.srv_ms, self._clock.now(), synchronized=SYNCHRONIZED.exists())
        if self._proof and isinstance(ack, wire.FileAck) and ack.f == self._proof.file.fid and self._proof.file_s:
            self._read_back(self._proof, ack)
        self._do(self._machine.acknowledged(now_s, ack))

    def _read_back(self, run: Proof, ack: wire.FileAck) -> None:
        """The receiver has read the test's file again where it lies."""
        if ack.desc == wire.CHECKED:
            run.read_back = ack.sha256 == run.file.sha256 and ack.size == run.file.size
            if not run.read_back:
                run.error = "what the cloud reads back is not what was sent"
        elif ack.state == "rejected":
            run.error = ack.desc

    def _command(self, command: wire.Command) -> None:
        cloud_ms = self._utc_ms() + (self._cloud_ahead_ms or 0)
        for result in self._orders.carry_out(command, allowed=self._settings.take_commands, utc_ms=cloud_ms):
            self._publish(topics.ResultTopic(self._about.dev), wire.build(result), wire.JSON_TYPE)

    # What to do ------------------------------------------------------------------------------------------------------

    def _do(self, effects: list[moves.Effect]) -> None:
        for effect in effects:
            match effect:
                case moves.Connect():
                    self._connect()
                case moves.Disconnect(why):
                    self._failed(why, "silent")
                    self._drop(self._now_s())
                case moves.SendHello() | moves.SendRecords() | moves.SendInit() | moves.SendChunk() | moves.SendFin():
                    self._send(effect)
                case moves.Trouble(key, detail):
                    self._trouble(key, detail)
                case _:
                    self._told(effect)

    def _send(self, effect: moves.Send) -> None:
        dev = self._about.dev
        match effect:
            case moves.SendHello(token):
                hello = wire.Hello(
                    epoch=self._outbox.epoch,
                    cfg_ver=int(self._outbox.note(CONFIG_VERSION) or 0),
                    max_seq=self._outbox.max_seq(),
                )
                self._publish(topics.HelloTopic(dev), wire.build(hello), wire.JSON_TYPE, token)
            case moves.SendRecords(token, seqs):
                payload, kind = wire.build_records([self._records[seq].record for seq in seqs])
                self._publish(topics.RecordsTopic(dev), payload, kind, token)
            case moves.SendInit(token, fid):
                self._send_out(self._dialect.init(fid), self._files[fid].init, wire.JSON_TYPE, token)
            case moves.SendChunk(token, fid, offset, length):
                self._send_chunk(token, fid, offset, length)
            case moves.SendFin(token, fid):
                self._send_out(self._dialect.fin(self._files[fid]), b"", None, token)

    def _send_chunk(self, token: int, fid: str, offset: int, length: int) -> None:
        file = self._files.get(fid)
        if file is None:  # given up by an earlier chunk of the same turn
            self._machine.published(self._now_s(), token)
            return
        try:
            with file.path.open("rb") as content:
                content.seek(offset)
                data = content.read(length)
        except OSError as error:
            data, why = b"", str(error)
        else:
            why = f"it has less than the {file.size} bytes it was sealed with"
        if len(data) != length:
            self._machine.withdraw(fid)
            self._machine.published(self._now_s(), token)
            self._unreadable(file, why)
            return
        self._send_out(self._dialect.chunk(fid, offset, data), data, wire.BYTES_TYPE, token)

    def _told(self, effect: moves.Effect) -> None:
        match effect:
            case moves.Greeted(ack):
                self._greeted(ack)
            case moves.RecordsStored(seqs):
                self._marks.append(outbox.records_stored(seqs))
            case moves.RecordRefused(seq, why):
                self._marks.append(outbox.set_record_aside(seq, why))
                self._alarm("sync_refused", f"record {seq}", why)
            case moves.RecordPostponed(seq, wait_s, why):
                self._marks.append(outbox.postpone_record(seq, until_ms=self._later_ms(wait_s), why=why))
                self._failed(f"record {seq}: {why}")
            case moves.FileStored(fid, store):
                self._file_stored(fid)
                if self._settings.files_by is FilesBy.MQTT and store != self._outbox.note("store"):
                    self._do(self._machine.ask(self._now_s()))
            case moves.FileRefused(fid, why):
                self._file_refused(fid, why)
            case moves.FileSuspect(fid, why):
                self._suspect(fid, why)
            case moves.FilePostponed(fid, wait_s, why):
                self._postpone(fid, wait_s, why)

    def _greeted(self, ack: wire.HelloAck) -> None:
        known = self._outbox.note("store")
        if known != ack.store:
            if known is not None:
                log.warning("the cloud's storage is another one: every file is asked about again")
                self._marks.append(outbox.requeue_files)
            self._marks.append(outbox.note("store", ack.store))
        if ack.ev_upto <= self._outbox.max_seq():
            self._marks.append(outbox.requeue_records(upto=ack.ev_upto, gaps=ack.ev_gaps))
        else:
            self._failed(f"the cloud says it has record {ack.ev_upto}, which this box has not made yet")
        for key in ("sync_unreachable", "sync_not_allowed"):
            self._alarms.resolve(key, self._about.dev)
        self._last_error = self._error_key = ""
        self._renewal.accepted()
        if self._proof and self._proof.hello_s is None:
            self._proof.hello_s = self._now_s() - self._proof.started_s
        self._commit()

    def _file_stored(self, fid: str) -> None:
        file = self._files.pop(fid, None)
        if file is not None and is_log(file.recording_id):
            file.path.unlink(missing_ok=True)
        self._suspects.pop(fid, None)
        self._alarms.resolve("sync_cloud_full", self._about.dev)
        if self._proof and fid == self._proof.file.fid:
            self._proof.file_s = self._now_s() - self._proof.started_s
            if self._settings.files_by is FilesBy.MQTT:
                self._publish(topics.CheckTopic(self._about.dev, fid), b"", None)
            else:
                self._proof.read_back = True  # EMQX has held the whole against its checksum, and shows nothing
        else:
            self._marks.append(outbox.file_stored(fid))

    def _file_refused(self, fid: str, why: str) -> None:
        self._files.pop(fid, None)
        if self._proof and fid == self._proof.file.fid:
            self._proof.error = why
            return
        self._marks.append(outbox.set_file_aside(fid, why))
        self._alarm("sync_refused", f"file {fid}", why)

    def _suspect(self, fid: str, why: str) -> None:
        """What the cloud assembled does not fit: our own file is read again before it is blamed on the way."""
        file = self._files.get(fid)
        if file is None:
            return
        try:
            with file.path.open("rb") as content:
                ours = hashlib.file_digest(content, "sha256").hexdigest()
        except OSError as error:
            self._unreadable(file, str(error))
            return
        if ours != file.sha256:
            self._unreadable(file, f"its SHA-256 is {ours[:16]}..., it was sealed with {file.sha256[:16]}...")
            return
        self._suspects[fid] = self._suspects.get(fid, 0) + 1
        if self._suspects[fid] >= SUSPECTS:
            self._file_refused(fid, f"{why}; three attempts, and our own file is sound")
        else:
            self._postpone(fid, 1.0, why)

    def _unreadable(self, file: DueFile, why: str) -> None:
        self._files.pop(file.fid, None)
        if not self._bucket:
            self._send_out(self._dialect.abort(file.fid), b"", None)
        if self._outbox.knows_file(file.fid):  # else retention was faster, and has told the cloud so
            self._marks.append(outbox.set_file_aside(file.fid, why))
            self._alarm("sync_file_lost", file.fid, f"{file.path.name}: {why}")

    def _postpone(self, fid: str, wait_s: float, why: str) -> None:
        self._files.pop(fid, None)
        self._marks.append(outbox.postpone_file(fid, until_ms=self._later_ms(wait_s), why=why))
        self._failed(f"file {fid}: {why}", "file")

    # Rows of the outbox ----------------------------------------------------------------------------------------------

    def _offer(self, now_s: float) -> None:
        if now_s < self._look_s and not self._outbox.changed():
            return
        wants = self._machine.wants(now_s)
        open_records = self._machine.open_records
        open_files = set(self._machine.open_files)
        records: list[DueRecord] = []
        files: list[DueFile] = []
        if wants.records or wants.urgent or wants.files:
            self._commit()  # what is stored must not be found again
        if wants.records:
            records = self._outbox.records(wants.records, without=open_records, clock_is_right=self._clock_is_right())
        for limit, urgent in ((wants.urgent, True), (wants.files, False)):
            if limit and not self._bucket:
                audio, order = self._settings.audio, self._settings.order
                files += self._outbox.files(limit, urgent=urgent, audio=audio, order=order, without=open_files)
        self._marks += [outbox.file_opened(file) for file in files]
        if self._proof and not self._proof.offered and wants.urgent and not self._bucket:
            self._proof.offered = True
            files.append(self._proof.file)
        self._records = {seq: self._records[seq] for seq in open_records} | {due.seq: due for due in records}
        self._files = {fid: file for fid, file in self._files.items() if fid in open_files}
        self._files |= {file.fid: file for file in files}
        for file in files:
            self._dialect.opened(file, now_s)
        if not records and not files:
            self._look_s = now_s + LOOK_S
            done = self._machine.idle and not (self._bucket and self._bucket.busy)
            self._machine.pacing.hurry = self._machine.pacing.hurry and not done
            return
        self._do(
            self._machine.offer(
                now_s,
                records=[QueuedRecord(seq=due.seq, size=due.size) for due in records],
                files=[QueuedFile(fid=f.fid, size=f.size, sha256=f.sha256, prio=f.prio) for f in files],
            )
        )

    def _commit(self) -> None:
        marks, self._marks = self._marks, []
        self._outbox.write(marks)

    # The connection --------------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        self._close()
        self._connections += 1
        now_s = self._now_s()
        try:
            self._connection = Connection(
                self._with_identity(),
                dev=self._about.dev,
                will=wire.build(self._status_message("lost")),
                v5=now_s >= self._v3_until_s,
                number=self._connections,
                filters=self._dialect.filters,
                inbox=self._inbox,
            )
        except CredentialsError as error:
            self._trouble("not_allowed", str(error))
            self._machine.disconnected(now_s)
            return
        self._connection.open()

    def _closed(self, loss: Loss, why: str, now_s: float) -> None:
        self._failed(why, _ERROR_KEYS[loss])
        if loss in (Loss.REFUSED, Loss.PROTOCOL):
            self._renewal.refused(plainly=loss is Loss.REFUSED)
        if loss is Loss.REFUSED:
            self._trouble("not_allowed", why)
        elif loss is Loss.PROTOCOL and self._connection is not None and self._connection.v5:
            self._early_closes += 1
            if "unsupported" in why.lower() or self._early_closes >= EARLY_CLOSES:
                log.info("%s may know only MQTT 3.1.1: that is used for a day", self._settings.host)
                self._v3_until_s = now_s + FALL_BACK_S
        elif loss is Loss.TAKEN_OVER:
            if self._again_and_again(now_s):
                self._rest_until_s = now_s + TAKEOVER_REST_S
        elif self._machine.phase is Phase.READY and now_s - self._opened_s < SHORT_LIVED_S:
            # Some brokers (mosquitto 2.0.11) close the older connection without a word.
            self._again_and_again(now_s)
        self._drop(now_s)

    def _with_identity(self) -> SyncSettings:
        """The settings with the box's own certificate, where it has got one by its claim."""
        pair = self._identity.pair() if self._identity else None
        if pair is None:
            return self._settings
        return attrs.evolve(self._settings, cert_file=str(pair.cert), key_file=str(pair.key))

    def _ask_for_certificate(self, request: wire.CertRequest) -> None:
        self._publish(topics.CertRequestTopic(self._about.dev), wire.build(request), wire.JSON_TYPE)

    def _reconnect(self) -> None:
        self._drop(self._now_s())
        self._machine.hurry(self._now_s())

    def _again_and_again(self, now_s: float) -> bool:
        """Whether good connections end so often that somebody else must be taking them."""
        self._taken_over_s = [at for at in self._taken_over_s if now_s - at < TAKEOVER_S] + [now_s]
        if len(self._taken_over_s) < TAKEOVERS:
            return False
        self._alarm("sync_same_identity", self._about.dev, f"{TAKEOVERS} connections within a minute were cut short")
        return True

    def _drop(self, now_s: float) -> None:
        self._close()
        self._machine.disconnected(now_s)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._tokens.clear()
        self._records.clear()
        self._files.clear()
        if self._proof:
            self._proof.offered = False

    def _make_dialect(self) -> Dialect:
        if self._settings.files_by is FilesBy.EMQX:
            return EmqxFiles(self._about.dev, segments_h=self._settings.emqx_segments_h, utc_ms=self._utc_ms)
        return OwnFiles(self._about.dev)

    def _see_interface(self) -> None:
        """Over which interface the connection goes, and whether that costs by volume."""
        address = self._connection.local_address if self._connection else ""
        self._interface = interface_of(address)
        self._machine.pacing.metered = is_metered(self._interface, self._settings.metered_interfaces)

    def _publish(self, topic: topics.Topic, payload: bytes, kind: str | None, token: int | None = None) -> None:
        self._send_out(topics.build(topic), payload, kind, token)

    def _send_out(self, topic: str, payload: bytes, kind: str | None, token: int | None = None) -> None:
        if self._connection is None:
            return
        self._volume.sent(len(payload) + len(topic) + PACKET_BYTES)
        mid = self._connection.publish(topic, payload, content_type=kind)
        if token is not None:
            self._tokens[mid] = token

    def _pipe(self) -> int | None:
        return self._connection.pipe() if self._connection else None

    def _publish_status(self, state: wire.StatusState) -> None:
        if self._connection is not None:
            topic = topics.build(topics.Status(self._about.dev))
            payload = wire.build(self._status_message(state))
            self._connection.publish(topic, payload, content_type=wire.JSON_TYPE, retain=True)
            self._tell_s = self._now_s() + STATUS_S

    def _status_message(self, state: wire.StatusState) -> wire.StatusMessage:
        waiting = self._outbox.waiting(self._settings.audio)
        return wire.StatusMessage(
            state=state,
            sw=self._about.version,
            boot_no=self._outbox.boot_no(),
            epoch=self._outbox.epoch,
            backlog=wire.Backlog(ev=waiting.events, files=waiting.files, bytes=waiting.bytes),
        )

    # People ----------------------------------------------------------------------------------------------------------

    def _wishes(self, now_s: float) -> None:
        for wish in self._desk.wishes() if now_s >= self._show_s - SHOW_S + LOOK_S else []:
            if wish.what == "test":
                self._prove(wish, now_s)
                continue
            acts: dict[str, Callable[[], None]] = {"now": self._hurry, "resume": self._resume}
            minutes = wish.args.get("minutes", 0)
            acts["pause"] = lambda minutes=minutes: self._pause(minutes * 60)  # type: ignore[misc]
            acts[wish.what]()
            self._desk.answer(wish, {"ok": True})
        if self._proof:
            self._follow_proof(self._proof, now_s)

    def _prove(self, wish: Wish, now_s: float) -> None:
        if self._proof:
            self._desk.answer(wish, {"ok": False, "error": "another test runs"})
            return
        self._outbox.write([proof.record(wish)])
        waiting = self._outbox.waiting(self._settings.audio).events
        self._proof = proof.prepare(
            wish, now_s=now_s, utc_ms=self._utc_ms(), records_waiting=waiting, epoch=self._outbox.epoch
        )
        self._machine.hurry(now_s)
        if self._bucket:
            self._bucket.test(self._proof.file, self._bucket_tested)
        self._do(self._machine.ask(now_s))
        self._look_s = self._show_s = 0.0

    def _bucket_tested(self, event: Event) -> None:
        if self._proof is None:
            return
        if event.what == "stored":
            self._proof.file_s = self._now_s() - self._proof.started_s
            self._proof.read_back = bool(event.facts.get("read_back"))
            if not self._proof.read_back:
                self._proof.error = "what was read back from the bucket is not what was sent"
        else:
            self._proof.error = event.why

    def _follow_proof(self, run: Proof, now_s: float) -> None:
        took_s = now_s - run.started_s
        if self._settings.confirmed_by is ConfirmedBy.BROKER and self._machine.phase is Phase.READY:
            run.hello_s = run.hello_s if run.hello_s is not None else took_s  # nobody there to greet: the broker counts
        if run.hello_s is not None and run.records_s is None and not self._outbox.waiting(self._settings.audio).events:
            run.records_s = took_s
        if not run.done and took_s > proof.DEADLINE_S:
            late = "the receiver did not answer in time" if run.file_s is None else "the receiver reads nothing back"
            run.error = self._last_error or late
        if run.done:
            answer = run.answer()
            self._desk.answer(run.wish, answer)
            self._last_test = answer | {"running": False, "at_ms": self._utc_ms()}
            run.close()
            self._proof = None
            self._show_s = 0.0

    def _hurry(self) -> None:
        now_s = self._now_s()
        self._machine.hurry(now_s)
        if self._bucket:
            self._bucket.hurry()
        self._rest_until_s = self._look_s = 0.0
        self._outbox.write([outbox.everything_is_due, outbox.note(_PAUSED, "0")])

    def _pause(self, seconds: float) -> None:
        until_ms = self._utc_ms() + round(seconds * 1000) if seconds else _FOR_EVER_MS
        self._machine.pacing.paused_until_s = self._now_s() + seconds if seconds else float("inf")
        self._machine.pacing.hurry = False
        self._outbox.write([outbox.note(_PAUSED, str(until_ms))])

    def _resume(self) -> None:
        self._machine.pacing.paused_until_s = self._look_s = 0.0
        self._outbox.write([outbox.note(_PAUSED, "0")])

    def _restore_pause(self) -> None:
        until_ms = int(self._outbox.note(_PAUSED) or 0)
        if until_ms > self._utc_ms():
            self._machine.pacing.paused_until_s = self._now_s() + (until_ms - self._utc_ms()) / 1000

    def _look_after(self, now_s: float) -> None:
        """What is done every few seconds."""
        if now_s < self._show_s:
            return
        self._show_s = now_s + SHOW_S
        self._marks += [outbox.keep_have(fid, have) for fid, have in self._dialect.to_keep(now_s)]
        self._marks += self._volume.marks(self._utc_ms())
        self._machine.pacing.volume_used_up = self._volume.used_up(self._utc_ms())
        status = self.status()
        self.backlog = {"records": status["records"], "files": status["files"]}
        self._desk.show(status)
        if now_s >= self._tell_s and self._machine.phase is Phase.READY:
            self._publish_status("ready")
        if self._machine.phase is Phase.READY:
            for result in self._orders.see_to_longer(self._utc_ms() + (self._cloud_ahead_ms or 0)):
                self._publish(topics.ResultTopic(self._about.dev), wire.build(result), wire.JSON_TYPE)
        self._renewal.turn(self._clock.now(), ready=self._machine.phase is Phase.READY)
        silent_s = now_s - self._heard_s
        if self._machine.phase is Phase.READY and now_s - self._opened_s > TAKEOVER_S:
            self._alarms.resolve("sync_same_identity", self._about.dev)
        hours = self._settings.unreachable_alarm_h
        if hours and silent_s > hours * 3600 and (status["records"] or status["files"]):
            self._alarm("sync_unreachable", self._about.dev, self._last_error or "no answer")
        self._alarms.deliver(now_s)

    def _trouble(self, key: str, detail: str) -> None:
        self._failed(detail, key)
        if key in ("not_allowed", "cloud_full"):
            self._alarm(f"sync_{key}", self._about.dev, detail)

    def _alarm(self, key: str, subject: str, detail: str) -> None:
        self._alarms.raise_alarm(key, subject, detail, now_s=self._now_s())

    def _failed(self, why: str, key: str = "other") -> None:
        """``key`` is the sort of trouble, for words in the reader's language."""
        if why != self._last_error:
            log.warning("%s", why)
        self._last_error, self._error_key = why, key

    # Clocks ----------------------------------------------------------------------------------------------------------

    def _now_s(self) -> float:
        return self._clock.now().boot_ns / 1e9

    def _utc_ms(self) -> int:
        return self._clock.now().utc_ms

    def _later_ms(self, wait_s: float) -> int:
        return self._utc_ms() + round(wait_s * 1000)

    def _clock_is_right(self) -> bool:
        agrees = self._cloud_ahead_ms is not None and abs(self._cloud_ahead_ms) < CLOCK_AGREES_MS
        return agrees or SYNCHRONIZED.exists()

    def _minute(self) -> int | None:
        if not self._clock_is_right():
            return None
        local = datetime.fromtimestamp(self._utc_ms() / 1000, self._zone)
        return local.hour * 60 + local.minute


def _is_private(settings: SyncSettings) -> bool:
    """Whether what comes over the connection is what the cloud has said."""
    return settings.transport is not Transport.PLAIN


def _machine(settings: SyncSettings, *, pipe: Callable[[], int | None]) -> SyncMachine:
    timing = Timing(
        hello_s=settings.hello_s,
        probe_s=settings.probe_s,
        probe_longest_s=settings.probe_s * 5,
        greet_again_s=settings.probe_s * 15,
        resend_s=settings.resend_s,
        fin_s=FIN_S if settings.files_by is FilesBy.EMQX else 0.0,
        backoff_longest_s=settings.longest_backoff_s,
        backoff_first_s=min(1.0, settings.longest_backoff_s),
    )
    schedule = Schedule(tuple(minutes_of(window) for window in settings.windows))
    limit = settings.limit_kbps * 125.0 if settings.limit_kbps else None
    # The jitter need not be secret; seeded by time, so that two boxes of one image differ.
    jitter = random.Random(time.time_ns())  # noqa: S311
    return SyncMachine(
        random=jitter.random,
        timing=timing,
        pacing=Pacing(schedule, bytes_per_s=limit),
        trust_broker=settings.confirmed_by is ConfirmedBy.BROKER,
        pipe=pipe,
    )


class _BucketHost:
    """What the bucket tells the agent."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def mark(self, mark: Mark) -> None:
        self._agent._marks.append(mark)

    def refused(self, file: DueFile, why: str) -> None:
        self._agent._file_refused(file.fid, why)

    def unreadable(self, file: DueFile, why: str) -> None:
        self._agent._unreadable(file, why)

    def postpone(self, fid: str, wait_s: float, why: str) -> None:
        self._agent._postpone(fid, wait_s, why)

    def trouble(self, key: str, detail: str) -> None:
        self._agent._trouble(key, detail)

    def sent(self, size: int) -> None:
        self._agent._volume.sent(size)

    def heard(self) -> None:
        self._agent._heard_s = self._agent._now_s()
