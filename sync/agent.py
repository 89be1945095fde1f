"""Carries out what the sync machine decides: between the outbox, the files, the broker, and people."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from firmware.config_sync import FilesBy, SyncSettings, Transport
from firmware.errors import StoreError
from firmware.ports import Clock
from sync import moves, outbox, topics, wire
from sync.alarms import Alarms
from sync.bucket_host import BucketHost
from sync.clock import CloudTime
from sync.complaints import Complaints
from sync.desk import Desk, Wish
from sync.dialects import Dialect, Later, OwnFiles
from sync.emqx import EmqxFiles
from sync.identity import BoxIdentity
from sync.interface import interface_of, is_metered
from sync.longer import Longer
from sync.machine import SyncMachine
from sync.machine_of import machine_of
from sync.moves import Phase, QueuedFile, QueuedRecord
from sync.mqtt import Acknowledged, Arrived, Closed, Happening, Loss, Opened
from sync.orders import Deeds, Orders
from sync.outbox import Outbox
from sync.pause import Pause
from sync.prover import Prover
from sync.renewal import Renewal
from sync.s3.bucket import Bucket
from sync.speaker import Speaker
from sync.topics import WireError
from sync.under_way import Due, UnderWay
from sync.uplink import Uplink
from sync.volume import Volume

log = logging.getLogger("offhook.sync")

LOOK_S = 0.25
"""How often the outbox is looked at while nothing happens."""
SHOW_S = 2.0
STATUS_S = 300.0
STORE_REST_S = 10.0


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
        self._about = about
        self._outbox = box
        self._clock = clock
        self._alarms = alarms
        self._desk = desk
        local = ZoneInfo(zone)
        self._complaints = Complaints(alarms, about.dev, now_s=self._now_s)
        self._volume = Volume(box, local, day_mb=settings.day_mb, month_mb=settings.month_mb)
        self._dialect = self._make_dialect()
        self._uplink = Uplink(
            settings,
            dev=about.dev,
            filters=self._dialect.filters,
            identity=identity,
            volume=self._volume,
            complaints=self._complaints,
        )
        self._machine = machine_of(settings, pipe=self._uplink.pipe)
        self._prover = Prover(
            settings,
            box,
            desk,
            self._complaints,
            now_s=self._now_s,
            utc_ms=self._utc_ms,
            ask_to_check=lambda fid: self._uplink.publish(topics.CheckTopic(about.dev, fid), b"", None),
        )
        self._under_way = UnderWay(
            settings, box, self._complaints, utc_ms=self._utc_ms, abort=self._abort, trial_refused=self._prover.refused
        )
        host = BucketHost(self._under_way, self._volume, self._complaints, heard=self._heard)
        self._bucket = Bucket(settings, about.dev, box, host) if settings.files_by is FilesBy.S3 else None
        self._speaker = Speaker(
            about.dev,
            self._uplink,
            self._dialect,
            box=box,
            under_way=self._under_way,
            machine=self._machine,
            now_s=self._now_s,
        )
        self._renewal = Renewal(identity, send=self._ask_for_certificate, reconnect=self._reconnect)
        self._orders = Orders(
            box,
            about.socket,
            Deeds(now=self._hurry, pause=self._pause_for, resume=self._resume, status=self.status),
            longer=Longer(about.data_dir, about.wishes, box.boot_no(), self._renewal),
            data_dir=about.data_dir,
            allow_erase=settings.allow_erase,
        )
        self._cloud_time = CloudTime(
            about.wishes / "network-time", about.socket, zone=local, trusted=settings.transport is not Transport.PLAIN
        )
        self._interface: str | None = None
        self._look_s = self._show_s = self._tell_s = self._rest_until_s = 0.0
        self._heard_s = self._now_s()
        self._last_answer_ms: int | None = None
        self.backlog = {"records": 0, "files": 0}
        """As last seen; replaced as a whole."""
        self._pause = Pause(box, self._machine.pacing, now_s=self._now_s(), utc_ms=self._utc_ms())

    # One turn of the loop --------------------------------------------------------------------------------------------

    def turn(self) -> None:
        """Waits for the next thing to do, at most `LOOK_S`, and does it."""
        now_s = self._now_s()
        wait_s = min(max(self._machine.deadline_s(now_s) - now_s, 0.0), LOOK_S)
        for happening in self._uplink.happenings(wait_s):
            if self._uplink.is_about_now(happening):
                self._happened(happening)
        now_s = self._now_s()
        try:
            if now_s >= self._rest_until_s:
                self._do(self._machine.tick(now_s, minute=self._cloud_time.minute(self._utc_ms())))
                self._offer(now_s)
            if self._bucket:
                self._under_way.commit()
                self._bucket.turn(now_s, closed=self._machine.audio_closed_because(now_s))
            self._under_way.commit()
            self._wishes(now_s)
            self._look_after(now_s)
        except StoreError as error:
            self._complaints.failed(f"the database refuses: {error}", "database")
            self._under_way.forget_marks()
            self._drop(now_s)
            self._rest_until_s = now_s + STORE_REST_S

    def stop(self) -> None:
        """Says goodbye and commits what is known."""
        if self._machine.phase in (Phase.GREETING, Phase.READY, Phase.AWAY):
            self._say_status("disconnected")
        self._close()
        if self._bucket:
            self._bucket.stop()
        try:
            self._under_way.mark(*self._volume.marks(self._utc_ms()))
            self._under_way.commit()
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
            "mqtt": self._uplink.mqtt,
            "records": waiting.events,
            "files": waiting.files,
            "bytes": waiting.bytes,
            "set_aside": waiting.set_aside,
            "oldest_s": age_s,
            "last_answer_utc_ms": self._last_answer_ms,
            "last_error": self._complaints.last or None,
            "last_error_key": self._complaints.last_key or None,
            "paused": now_s < self._machine.pacing.paused_until_s,
            "test": self._prover.shown,
            "files_by": self._settings.files_by.value,
            "upload_child": self._bucket.used if self._bucket else None,
            "confirmed_by": self._settings.confirmed_by.value,
            "interface": self._interface,
            **self._volume.shown(self._utc_ms()),
            "audio_waits_for": self._machine.audio_closed_because(now_s),
            "bytes_per_s": None if self._machine.link.goodput is None else round(self._machine.link.goodput),
        }

    # What came -------------------------------------------------------------------------------------------------------

    def _happened(self, happening: Happening) -> None:
        now_s = self._now_s()
        match happening:
            case Opened(_, max_packet, receive_max):
                self._uplink.opened(now_s)
                self._say_status("ready")
                self._see_interface()
                self._do(self._machine.connected(now_s, max_packet=max_packet, receive_max=receive_max))
            case Closed(_, loss, why):
                self._closed(loss, why, now_s)
            case Acknowledged(_, mid, rc):
                token = self._uplink.token(mid)
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
                        self._say(topics.ReportedTopic(self._about.dev), report)
                case topics.CertTopic(self._about.dev):
                    self._renewal.answered(wire.parse(payload, wire.CertAnswer), self._clock.now())
                case topics.CommandTopic(self._about.dev):
                    self._command(wire.parse(payload, wire.Command))
        except (WireError, StoreError) as error:
            # A stranger's bytes, or a disk that is full: neither may end the process.
            self._complaints.failed(f"{topic}: {error}")

    def _answered(self, topic: str, payload: bytes, now_s: float) -> None:
        """A broker that keeps files itself."""
        answer = self._dialect.answer(topic, payload)
        if isinstance(answer, Later):
            self._machine.withdraw(answer.fid)
            self._under_way.mark(outbox.keep_have(answer.fid, None))
            self._under_way.postpone(answer.fid, answer.wait_s, answer.why)
        elif answer is not None:
            self._acknowledged(answer, now_s)

    def _acknowledged(self, ack: wire.Ack, now_s: float) -> None:
        self._heard()
        self._last_answer_ms = self._utc_ms()
        if isinstance(ack, wire.RecordsAck) and ack.epoch != self._outbox.epoch:
            return
        if isinstance(ack, wire.HelloAck):
            self._cloud_time.told(ack.srv_ms, self._clock.now())
        if isinstance(ack, wire.FileAck):
            self._prover.checked(ack)
        self._do(self._machine.acknowledged(now_s, ack))

    def _command(self, command: wire.Command) -> None:
        cloud_ms = self._cloud_time.of(self._utc_ms())
        for result in self._orders.carry_out(command, allowed=self._settings.take_commands, utc_ms=cloud_ms):
            self._say(topics.ResultTopic(self._about.dev), result)

    # What to do ------------------------------------------------------------------------------------------------------

    def _do(self, effects: list[moves.Effect]) -> None:
        for effect in effects:
            match effect:
                case moves.Connect():
                    self._connect()
                case moves.Disconnect(why):
                    self._complaints.failed(why, "silent")
                    self._drop(self._now_s())
                case moves.SendHello() | moves.SendRecords() | moves.SendInit() | moves.SendChunk() | moves.SendFin():
                    self._speaker.send(effect)
                case moves.Trouble(key, detail):
                    self._complaints.trouble(key, detail)
                case _:
                    self._told(effect)

    def _told(self, effect: moves.Effect) -> None:
        match effect:
            case moves.Greeted(ack):
                self._greeted(ack)
            case moves.RecordsStored(seqs):
                self._under_way.mark(outbox.records_stored(seqs))
            case moves.RecordRefused(seq, why):
                self._under_way.record_refused(seq, why)
            case moves.RecordPostponed(seq, wait_s, why):
                self._under_way.record_postponed(seq, wait_s, why)
            case moves.FileStored(fid, store):
                self._under_way.stored(fid, trial=self._prover.stored(fid))
                if self._settings.files_by is FilesBy.MQTT and store != self._outbox.note("store"):
                    self._do(self._machine.ask(self._now_s()))
            case moves.FileRefused(fid, why):
                self._under_way.refused(fid, why)
            case moves.FileSuspect(fid, why):
                self._under_way.suspect(fid, why)
            case moves.FilePostponed(fid, wait_s, why):
                self._under_way.postpone(fid, wait_s, why)

    def _greeted(self, ack: wire.HelloAck) -> None:
        known = self._outbox.note("store")
        if known != ack.store:
            if known is not None:
                log.warning("the cloud's storage is another one: every file is asked about again")
                self._under_way.mark(outbox.requeue_files)
            self._under_way.mark(outbox.note("store", ack.store))
        if ack.ev_upto <= self._outbox.max_seq():
            self._under_way.mark(outbox.requeue_records(upto=ack.ev_upto, gaps=ack.ev_gaps))
        else:
            self._complaints.failed(f"the cloud says it has record {ack.ev_upto}, which this box has not made yet")
        self._complaints.over("sync_unreachable", "sync_not_allowed")
        self._complaints.forget()
        self._renewal.accepted()
        self._prover.greeted()
        self._under_way.commit()

    def _offer(self, now_s: float) -> None:
        if now_s < self._look_s and not self._outbox.changed():
            return
        records, files = self._machine.open_records, self._machine.open_files
        wants = self._machine.wants(now_s)
        due = self._under_way.due(
            wants,
            records=records,
            files=files,
            clock_is_right=self._cloud_time.clock_is_right,
            with_files=self._bucket is None,
        )
        if wants.urgent and self._bucket is None and (trial := self._prover.to_send()):
            due.files.append(trial)
        self._under_way.take(due, records=records, files=files)
        for file in due.files:
            self._dialect.opened(file, now_s)
        if not due.records and not due.files:
            self._look_s = now_s + LOOK_S
            done = self._machine.idle and not (self._bucket and self._bucket.busy)
            self._machine.pacing.hurry = self._machine.pacing.hurry and not done
            return
        self._do(_offered(self._machine, now_s, due))

    # The connection --------------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        self._close()
        now_s = self._now_s()
        if not self._uplink.connect(now_s, will=wire.build(self._status_message("lost"))):
            self._machine.disconnected(now_s)

    def _closed(self, loss: Loss, why: str, now_s: float) -> None:
        rest_s = self._uplink.lost(loss, why, now_s, was_ready=self._machine.phase is Phase.READY)
        if loss in (Loss.REFUSED, Loss.PROTOCOL):
            self._renewal.refused(plainly=loss is Loss.REFUSED)
        if rest_s:
            self._rest_until_s = now_s + rest_s
        self._drop(now_s)

    def _drop(self, now_s: float) -> None:
        self._close()
        self._machine.disconnected(now_s)

    def _close(self) -> None:
        self._uplink.close()
        self._under_way.clear()
        self._prover.disconnected()

    def _reconnect(self) -> None:
        self._drop(self._now_s())
        self._machine.hurry(self._now_s())

    def _make_dialect(self) -> Dialect:
        if self._settings.files_by is FilesBy.EMQX:
            return EmqxFiles(self._about.dev, segments_h=self._settings.emqx_segments_h, utc_ms=self._utc_ms)
        return OwnFiles(self._about.dev)

    def _see_interface(self) -> None:
        """Over which interface the connection goes, and whether that costs by volume."""
        self._interface = interface_of(self._uplink.local_address)
        self._machine.pacing.metered = is_metered(self._interface, self._settings.metered_interfaces)

    def _say(self, topic: topics.Topic, payload: wire.Payload, token: int | None = None) -> None:
        self._uplink.publish(topic, wire.build(payload), wire.JSON_TYPE, token)

    def _abort(self, fid: str) -> None:
        if not self._bucket:
            self._uplink.send(self._dialect.abort(fid), b"", None)

    def _ask_for_certificate(self, request: wire.CertRequest) -> None:
        self._say(topics.CertRequestTopic(self._about.dev), request)

    def _say_status(self, state: wire.StatusState) -> None:
        self._uplink.say_status(wire.build(self._status_message(state)))
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
            acts["pause"] = lambda minutes=minutes: self._pause_for(minutes * 60)  # type: ignore[misc]
            acts[wish.what]()
            self._desk.answer(wish, {"ok": True})
        if self._prover.follow(ready=self._machine.phase is Phase.READY):
            self._show_s = 0.0

    def _prove(self, wish: Wish, now_s: float) -> None:
        file = self._prover.begin(wish)
        if file is None:
            return
        self._machine.hurry(now_s)
        if self._bucket:
            self._bucket.test(file, self._prover.bucket_said)
        self._do(self._machine.ask(now_s))
        self._look_s = self._show_s = 0.0

    def _hurry(self) -> None:
        now_s = self._now_s()
        self._machine.hurry(now_s)
        if self._bucket:
            self._bucket.hurry()
        self._rest_until_s = self._look_s = 0.0
        self._outbox.write([outbox.everything_is_due])
        self._pause.end()

    def _pause_for(self, seconds: float) -> None:
        self._pause.begin(seconds, now_s=self._now_s(), utc_ms=self._utc_ms())

    def _resume(self) -> None:
        self._look_s = 0.0
        self._pause.end()

    def _look_after(self, now_s: float) -> None:
        """What is done every few seconds."""
        if now_s < self._show_s:
            return
        self._show_s = now_s + SHOW_S
        ready = self._machine.phase is Phase.READY
        self._under_way.mark(*(outbox.keep_have(fid, have) for fid, have in self._dialect.to_keep(now_s)))
        self._under_way.mark(*self._volume.marks(self._utc_ms()))
        self._machine.pacing.volume_used_up = self._volume.used_up(self._utc_ms())
        status = self.status()
        self.backlog = {"records": status["records"], "files": status["files"]}
        self._desk.show(status)
        if now_s >= self._tell_s and ready:
            self._say_status("ready")
        if ready:
            for result in self._orders.see_to_longer(self._cloud_time.of(self._utc_ms())):
                self._say(topics.ResultTopic(self._about.dev), result)
        self._renewal.turn(self._clock.now(), ready=ready)
        if ready and self._uplink.lasts(now_s):
            self._complaints.over("sync_same_identity")
        hours = self._settings.unreachable_alarm_h
        if hours and now_s - self._heard_s > hours * 3600 and (status["records"] or status["files"]):
            self._complaints.alarm("sync_unreachable", self._about.dev, self._complaints.last or "no answer")
        self._alarms.deliver(now_s)

    # Clocks ----------------------------------------------------------------------------------------------------------

    def _heard(self) -> None:
        """The cloud has answered."""
        self._heard_s = self._now_s()

    def _now_s(self) -> float:
        return self._clock.now().boot_ns / 1e9

    def _utc_ms(self) -> int:
        return self._clock.now().utc_ms


def _offered(machine: SyncMachine, now_s: float, due: Due) -> list[moves.Effect]:
    return machine.offer(
        now_s,
        records=[QueuedRecord(seq=one.seq, size=one.size) for one in due.records],
        files=[QueuedFile(fid=f.fid, size=f.size, sha256=f.sha256, prio=f.prio) for f in due.files],
    )
