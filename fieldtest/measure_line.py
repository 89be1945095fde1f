"""One test call on one line: has people do their part, watches the box meanwhile, and judges what it saw."""

from __future__ import annotations

import hashlib
import time
from typing import Any

import soundfile
from attrs import define, field

from fieldtest import ringing
from fieldtest.access import Access
from fieldtest.acts import KEYS, Guide, Name, Reply, act, do
from fieldtest.catalogue import Group
from fieldtest.evidence import CallEvidence, RingEvidence, Sound, Upload
from fieldtest.judge_call import judge_call, judge_keys, judge_ringing
from fieldtest.results import Results, Words
from fieldtest.sim_steps import judge_minutes, judge_sim
from fieldtest.sound import Stretch
from fieldtest.watch import EdgeWatch, loud_elsewhere, wait_for
from firmware.signals.countries import Cadence, profiles
from firmware.signals.loop_watch import Sensor

_IDLE_S = 30.0
_MACHINE_S, _PERSON_S = 20.0, 180.0
_SEALED_S, _UPLOADED_S = 150.0, 60.0
_NUMBER_S = 4.0
_NO_CALL = ("the call did not come about", "通话未建立")


@define
class _Call:
    """What is gathered while the call is on."""

    id: str = ""
    caller: str | None = None
    answered_utc_ms: int = 0
    recording_after_s: float | None = None
    hung_up_utc_ms: int = 0
    stretches_ms: dict[str, tuple[int, int]] = field(factory=dict)
    elsewhere: dict[str, float] = field(factory=dict)


class LineTest:
    """Tests one line; LINE is of docs/interfaces.md."""

    def __init__(self, box: Access, line: dict[str, Any], guide: Guide, *, country: str, gain_db: float = 0.0) -> None:
        self._box = box
        self._line: str = line["id"]
        self._label: str = line["label"] or line["id"]
        self.group = Group.SIM if line["kind"] == "sim" else Group.ANALOG
        self._guide = guide
        self._gain_db = gain_db
        self._patience_s = _MACHINE_S if guide.exact else _PERSON_S
        profile = profiles()[country]
        self._cadences: list[Cadence] = [profile.ring, *(cadence for _, cadence in profile.distinctive)]
        self.results = Results(self.group)

    def run(self) -> Results:
        """Raises what `acts.do` raises, `RequestError` and `RecorderUnreachableError`."""
        line = self._box.line(self._line)
        self.results.fact("present", bool(line and line["present"]))
        if self.group is Group.SIM:
            judge_sim(self.results, self._box, self._line)
            judge_minutes(self.results, self._box, self._line)
        if not (line and line["present"]):
            self.results.rest_not_tested("the line is not in sight", "线路未识别")
        elif not wait_for(lambda: self._phase() == "idle", _IDLE_S):
            self.results.rest_not_tested("the line is in use", "线路正在使用")
        else:
            self._test_call()
        return self.results

    # --- the call ---------------------------------------------------------------------------------------------------

    def _test_call(self) -> None:
        edges = EdgeWatch(self._box, self._line)
        call = _Call()
        try:
            come = self._ring(edges, call) and self._answer(edges, call)
            if come:
                self._talk(call)
                self._hang_up(edges, call)
        except BaseException:
            self._leave()
            raise
        if not come:
            self._leave()
            self._act("end")
            self.results.rest_not_tested(*_NO_CALL)
            return
        seen = self._evidence(call)
        judge_call(self.results, seen)
        if self.group is Group.ANALOG:
            judge_keys(self.results, seen)

    def _ring(self, edges: EdgeWatch, call: _Call) -> bool:
        call.caller = self._act("call").number
        rang = wait_for(lambda: self._phase() == "ringing" or self._misled(edges), self._patience_s)
        rang = rang and self._phase() == "ringing"
        if rang:
            if self.group is Group.ANALOG and edges.supported:
                wait_for(
                    lambda: ringing.whole_patterns(edges.look(), self._cadences[0], edges.now_ms), self._patience_s
                )
            wait_for(lambda: bool((self._call() or {}).get("number")), _NUMBER_S)
            call.id = (self._call() or {}).get("id", "")
        if self.group is Group.SIM:
            self.results.fact("ring_seen", rang)
            return rang
        if not edges.supported:
            self.results.fact("ring_seen", rang)
            for name in ("battery", "wiring", "ring_hz", "ring_on", "ring_period", "ring_bounce"):
                self.results.not_tested(name, "this device has no sensors of its own", "该设备没有独立传感器")
            return rang
        seen = RingEvidence(
            edges=edges.look(),
            until_ms=edges.now_ms,
            cadences=self._cadences,
            has_battery_sensor=Sensor.BATTERY in edges.levels,
            battery=edges.levels.get(Sensor.BATTERY, False),
            idle_active=tuple(s.value for s in (Sensor.RING, Sensor.OFF_HOOK) if edges.levels.get(s, False)),
        )
        return judge_ringing(self.results, seen, rang=rang)

    def _misled(self, edges: EdgeWatch) -> bool:
        """It rings on the wrong sensor: waiting for the call makes no sense."""
        return self.group is Group.ANALOG and ringing.miswired(edges.look(), edges.now_ms)

    def _answer(self, edges: EdgeWatch, call: _Call) -> bool:
        step = "off_hook" if self.group is Group.ANALOG else "answered"
        begun_ms = time.time_ns() / 1e6
        if self.group is Group.ANALOG:
            self._act("lift")
        else:
            self._box.request("line.answer", line=self._line)
        if not wait_for(lambda: self._phase() == "talking", self._patience_s):
            self.results.measured(step, 99.0, note=Words(en="the answer was not seen", zh="未检测到接听"))
            return False
        now_ms = time.time_ns() // 1_000_000
        lifted_ms = edges.last_utc_ms(Sensor.OFF_HOOK, True) if self.group is Group.ANALOG else None
        self.results.measured(step, max(0.0, (now_ms - (lifted_ms if lifted_ms is not None else begun_ms)) / 1000))
        call.answered_utc_ms = now_ms
        call.id = (self._call() or {}).get("id", call.id)
        if wait_for(lambda: bool((self._box.line(self._line) or {}).get("recording")), 5.0):
            call.recording_after_s = (time.time_ns() // 1_000_000 - now_ms) / 1000
        return True

    def _talk(self, call: _Call) -> None:
        names: tuple[Name, ...] = (
            ("quiet", "far", "near", "keys") if self.group is Group.ANALOG else ("quiet", "far", "near")
        )
        for name in names:
            wanted = act(name, line=self._line, label=self._label)
            do(self._guide, wanted)
            begun = time.time_ns() // 1_000_000
            elsewhere = loud_elsewhere(self._box, self._line, wanted.seconds)
            call.stretches_ms[name] = (begun, time.time_ns() // 1_000_000)
            if name in ("far", "near"):
                for line, level in elsewhere.items():
                    call.elsewhere[line] = max(level, call.elsewhere.get(line, level))

    def _hang_up(self, edges: EdgeWatch, call: _Call) -> None:
        self._act("hang_up" if self.group is Group.ANALOG else "far_hangs_up")
        call.hung_up_utc_ms = time.time_ns() // 1_000_000
        wait_for(lambda: self._phase() == "idle", self._patience_s)
        if self.group is Group.ANALOG and (laid := edges.last_utc_ms(Sensor.OFF_HOOK, False)) is not None:
            call.hung_up_utc_ms = round(laid)

    def _leave(self) -> None:
        """Ends the call from the box's side, where it can: nobody shall find it still up."""
        if self.group is Group.SIM and self._phase() != "idle":
            self._box.request("line.hangup", line=self._line)

    # --- afterwards -------------------------------------------------------------------------------------------------

    def _evidence(self, call: _Call) -> CallEvidence:
        self._guide.tell(Words(en="The recording is being sealed.", zh="正在封存录音。"))
        wait_for(lambda: self._is_sealed(call.id), _SEALED_S)
        listed = self._box.call(call.id) or {"recordings": []}
        sealed = [one for one in listed["recordings"] if one["status"] == "sealed"]
        first = sealed[0] if sealed else None
        heard = self._act("listen", file=first["flac_path"]).heard if first else None
        return CallEvidence(
            exact=self._guide.exact,
            call=listed,
            caller=call.caller,
            answered_utc_ms=call.answered_utc_ms,
            hung_up_utc_ms=call.hung_up_utc_ms,
            recording_after_s=call.recording_after_s,
            stretches={name: _within(first, span) for name, span in call.stretches_ms.items()} if first else {},
            keys=KEYS,
            sound=self._decoded(first) if first else None,
            elsewhere=call.elsewhere,
            intact=self._intact(first) if first else None,
            heard=heard,
            upload=self._uploaded([one["id"] for one in sealed]),
            gain_db=self._gain_db,
        )

    def _is_sealed(self, call: str) -> bool:
        listed = self._box.call(call)
        if listed is None or listed["status"] != "ended" or not listed["recordings"]:
            return False
        statuses: set[str] = {one["status"] for one in listed["recordings"]}
        return not statuses & {"recording", "closed"}

    def _decoded(self, recording: dict[str, Any]) -> Sound:
        samples, rate_hz = soundfile.read(self._box.data / recording["flac_path"], dtype="int16", always_2d=True)
        return Sound(samples=samples, rate_hz=int(rate_hz), roles=tuple(recording["roles"]))

    def _intact(self, recording: dict[str, Any]) -> bool:
        content = (self._box.data / recording["flac_path"]).read_bytes()
        return bool(hashlib.sha256(content).hexdigest() == recording["flac_sha256"])

    def _uploaded(self, recordings: list[str]) -> Upload:
        if not self._box.sync().enabled or not recordings:
            return "no_cloud"
        if self._box.sync_phase() != "ready":
            return "offline"
        self._guide.tell(Words(en="The recording is being uploaded.", zh="正在上传录音。"))
        stored = wait_for(lambda: self._box.stored_in_the_cloud(recordings), _UPLOADED_S)
        return "verified" if stored else "waiting"

    # --- looking ----------------------------------------------------------------------------------------------------

    def _act(self, name: Name, file: str = "") -> Reply:
        return do(self._guide, act(name, line=self._line, label=self._label, file=file))

    def _phase(self) -> str:
        return str((self._box.line(self._line) or {}).get("phase", "gone"))

    def _call(self) -> dict[str, Any] | None:
        found: dict[str, Any] | None = (self._box.line(self._line) or {}).get("call")
        return found


def _within(recording: dict[str, Any], span_ms: tuple[int, int]) -> Stretch:
    begun = recording["started_utc_ms"]
    return Stretch(begins_s=(span_ms[0] - begun) / 1000, ends_s=(span_ms[1] - begun) / 1000)
