"""From the evidence of a test call to its results. Pure: the same evidence gives the same verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fieldtest import ringing, sound
from fieldtest.evidence import CallEvidence, RingEvidence, Sound
from fieldtest.results import Results, Words

DEAD_DBM0 = -52.0
"""Nobody speaks so softly, and a line that is connected is hardly more quiet."""
HEARD_DBM0 = -42.0
_SIDES_DB = 8.0
"""A side is louder where it belongs than where it does not, echo included, by this at least."""
_NO_RECORDING = ("there is no recording", "没有录音")


def judge_ringing(results: Results, seen: RingEvidence, *, rang: bool) -> bool:
    """Wiring, ring and battery of an analog line; ``rang``: the box saw the call. False: no call can be judged."""
    if seen.has_battery_sensor:
        results.fact("battery", seen.battery)
    else:
        results.not_tested("battery", "this line board has no sensor for it", "该线路板无此传感器")
    swapped = ringing.miswired(seen.edges, seen.until_ms)
    found = ringing.ringing(seen.edges, seen.cadences, seen.until_ms)
    if swapped:
        note = Words(en="the off-hook sensor pulsed while it rang", zh="振铃时摘机传感器在跳动")
        results.fact("wiring", False, note=note)
    elif seen.idle_active:
        sensors = ", ".join(seen.idle_active)
        note = Words(en=f"active while nobody uses the line: {sensors}", zh=f"无人使用时仍有效：{sensors}")
        results.fact("wiring", False, note=note)
    elif found.bursts == 0:
        results.fact("wiring", False, note=Words(en="the ring sensor did not move", zh="振铃传感器无动作"))
    else:
        results.fact("wiring", True)
    results.fact("ring_seen", rang)
    if found.bursts and not swapped:
        _judge_cadence(results, found)
    return rang and not swapped


def _judge_cadence(results: Results, found: ringing.Ringing) -> None:
    if found.hz is None:
        results.not_tested("ring_hz", "the detector shows no pulses", "检测器不输出脉冲")
    else:
        results.measured("ring_hz", found.hz)
    if found.on_off_by is not None:
        results.measured("ring_on", 100 * found.on_off_by)
    if found.period_off_by is not None:
        results.measured("ring_period", 100 * found.period_off_by)
    else:
        results.not_tested("ring_period", "it did not ring long enough", "振铃时间不够长")
    results.measured("ring_bounce", found.bounces)


def judge_call(results: Results, seen: CallEvidence) -> None:
    """Everything from the caller's number to the cloud."""
    _judge_caller(results, seen)
    if seen.recording_after_s is None:
        results.not_tested("recording_starts", *_NO_RECORDING)
    else:
        results.measured("recording_starts", max(0.0, seen.recording_after_s))
    if seen.sound is None:
        for name in ("far_level", "near_level", "right_place", "hum", "noise", "clipping"):
            results.not_tested(name, *_NO_RECORDING)
    else:
        _judge_levels(results, seen, seen.sound)
        _judge_quiet(results, seen, seen.sound)
    _judge_hang_up(results, seen)
    _judge_recording(results, seen)


def judge_keys(results: Results, seen: CallEvidence) -> None:
    """The keys of the handset, as the recording has them."""
    stretch = seen.stretches.get("keys")
    if seen.sound is None or stretch is None:
        results.not_tested("dtmf", *_NO_RECORDING)
        return
    channel = stretch.around(seen.sound.channel("local"), seen.sound.rate_hz)
    heard = sound.keys_heard(channel, seen.sound.rate_hz)
    words = Words(en=f"pressed {seen.keys}, heard {heard or 'nothing'}", zh=f"按下 {seen.keys}，识别 {heard or '无'}")
    results.measured("dtmf", sound.keys_right(heard, seen.keys), note=words)


def _judge_caller(results: Results, seen: CallEvidence) -> None:
    number = seen.call.get("number")
    if number is None:
        said = Words(en="no number came with the call", zh="来电未带号码")
        results.fact("caller_id", False, note=said)
    elif seen.caller is None:
        results.fact("caller_id", True, note=_masked(number))
    else:
        results.fact("caller_id", _digits(number)[-8:] == _digits(seen.caller)[-8:], note=_masked(number))


def _judge_levels(results: Results, seen: CallEvidence, heard: Sound) -> None:
    far, near = (_level(seen, heard, side, role) for side, role in (("far", "remote"), ("near", "local")))
    for name, level in (("far_level", far), ("near_level", near)):
        if level is None:
            results.not_tested(name, "nobody was asked to speak", "未要求讲话")
        else:
            results.measured(name, level)
    if far is None or near is None:
        results.not_tested("right_place", "nobody was asked to speak", "未要求讲话")
    elif heard.two_way:
        crossed_far, crossed_near = _level(seen, heard, "far", "local"), _level(seen, heard, "near", "remote")
        assert crossed_far is not None
        assert crossed_near is not None
        swapped = crossed_far > max(far, HEARD_DBM0) + _SIDES_DB and crossed_near > max(near, HEARD_DBM0) + _SIDES_DB
        said = Words(en="each side is heard in the other's place", zh="双方声音互换了位置") if swapped else None
        results.fact("right_place", not swapped, note=said)
    elif max(far, near) > DEAD_DBM0:
        results.fact("right_place", True)
    else:
        other = max(seen.elsewhere, key=lambda line: seen.elsewhere[line], default=None)
        if other is not None and seen.elsewhere[other] > HEARD_DBM0:
            said = Words(en=f"what is said here is heard on {other}", zh=f"本线路的声音出现在 {other}")
            results.fact("right_place", False, note=said)
        else:
            results.not_tested("right_place", "nothing was heard at all", "完全没有声音")
    results.measured("clipping", sound.clipped_percent(heard.samples))


def _judge_quiet(results: Results, seen: CallEvidence, heard: Sound) -> None:
    stretch = seen.stretches.get("quiet")
    found = []
    if stretch is not None:
        for channel in range(heard.samples.shape[1]):
            one = sound.quiet(stretch.of(heard.samples[:, channel], heard.rate_hz), heard.rate_hz, seen.gain_db)
            found += [one] if one is not None else []
    if not found:
        results.not_tested("hum", "there was no quiet second", "没有安静的一秒")
        results.not_tested("noise", "there was no quiet second", "没有安静的一秒")
        return
    results.measured("hum", max(one.hum for one in found))
    results.measured("noise", max(one.noise for one in found))


def _judge_hang_up(results: Results, seen: CallEvidence) -> None:
    ended = seen.call.get("ended_utc_ms")
    if ended is None:
        results.measured("hang_up", 99.0, note=Words(en="its end was not seen", zh="未检测到挂机"))
    else:
        results.measured("hang_up", max(0.0, (ended - seen.hung_up_utc_ms) / 1000))


def _judge_recording(results: Results, seen: CallEvidence) -> None:
    recordings = list(seen.call.get("recordings", ()))
    sealed = bool(recordings) and all(one["status"] == "sealed" for one in recordings)
    results.fact("written", sealed, note=None if recordings else Words(en=_NO_RECORDING[0], zh=_NO_RECORDING[1]))
    if sealed:
        results.measured("duration", _missing_s(seen.call, recordings))
        results.measured("gaps", sum(gap["missing_ms"] for one in recordings for gap in one["gaps"]))
    else:
        results.not_tested("duration", *_NO_RECORDING)
        results.not_tested("gaps", *_NO_RECORDING)
    if seen.intact is None:
        results.not_tested("intact", *_NO_RECORDING)
    else:
        results.fact("intact", seen.intact)
    if seen.heard is None:
        results.not_tested("played_back", "nobody listened", "无人试听")
    else:
        results.fact("played_back", seen.heard)
    if seen.upload == "no_cloud":
        results.not_tested("uploaded", "no cloud is set up", "未设置云端")
    elif seen.upload == "offline":
        results.not_tested("uploaded", "the box is offline: it is uploaded later", "设备离线，稍后上传")
    else:
        results.fact("uploaded", seen.upload == "verified")


def _missing_s(call: Mapping[str, Any], recordings: list[Mapping[str, Any]]) -> float:
    """What the recordings lack of the time between answer and end."""
    if call.get("answered_utc_ms") is None or call.get("ended_utc_ms") is None:
        return 0.0
    talked_ms = call["ended_utc_ms"] - call["answered_utc_ms"]
    kept_ms = sum(
        min(one["started_utc_ms"] + one["duration_ms"], call["ended_utc_ms"])
        - max(one["started_utc_ms"], call["answered_utc_ms"])
        for one in recordings
    )
    return float(max(0.0, (talked_ms - kept_ms) / 1000))


def _level(seen: CallEvidence, heard: Sound, stretch: str, role: str) -> float | None:
    where = seen.stretches.get(stretch)
    if where is None:
        return None
    return sound.active_level(where.of(heard.channel(role), heard.rate_hz), heard.rate_hz, seen.gain_db)


def _digits(number: str) -> str:
    return "".join(c for c in number if c.isdigit())


def _masked(number: str) -> Words:
    """Enough to compare it with a telephone's own, not enough to call it."""
    text = f"…{number[-4:]}"
    return Words(en=text, zh=text)
