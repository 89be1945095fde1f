"""What the call list says beside a call, in English and Chinese: sentences made of columns, never stored."""

from __future__ import annotations

from collections.abc import Sequence

from firmware.model import CallFlag
from firmware.sim import Mark
from firmware.store.transaction import Row

Text = dict[str, str]
"""``{"en": ..., "zh": ...}``."""


def cut_short_note(duration_ms: int) -> Text:
    """``cut short at 00:03:12``: the recording ends there because of a crash or a power cut."""
    seconds = duration_ms // 1000
    at = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return {"en": f"cut short at {at}", "zh": f"在 {at} 处中断"}


_MARKS: dict[str, Text] = {
    Mark.SOUND_REARMED.value: {
        "en": "no sound at first: it was switched on again {after_s} s into the call",
        "zh": "起初没有声音：通话 {after_s} 秒时已重新打开",
    },
    Mark.SOUND_REFUSED.value: {
        "en": "the module gave no sound, however often it was asked",
        "zh": "多次请求后模块仍未提供声音",
    },
}


def call_note(call: Row, recordings: Sequence[Row], marks: Sequence[Row] = ()) -> Text | None:
    """Everything worth saying of a call, its recordings (RECORDING) and its marks; None when all is as it should be."""
    notes: list[Text] = []
    left_out = CallFlag.NOT_TO_BE_RECORDED.value in call["flags"]
    for recording in recordings if not left_out else ():
        notes += _recording_notes(recording)
    if CallFlag.JOINED_LATE.value in call["flags"]:
        notes.append({"en": "the call was already up when the box saw it", "zh": "设备发现时通话已在进行"})
    if CallFlag.INTERRUPTED.value in call["flags"]:
        notes.append({"en": "the line was out of sight for a while", "zh": "线路曾一度失去连接"})
    if CallFlag.DETECTED_BY_SOUND.value in call["flags"]:
        notes.append({"en": "found from its sound: the moments are estimates", "zh": "由声音检测：时间为估计值"})
    if CallFlag.CALLER_DOUBTFUL.value in call["flags"]:
        notes.append({"en": "the number was hard to read: it may be wrong", "zh": "来电号码难以识别：可能有误"})
    if left_out:
        notes.append({"en": "not recorded, by the recording rules", "zh": "按录音规则未录音"})
    for mark in marks:
        words = _MARKS.get(mark["mark"], {"en": mark["mark"], "zh": mark["mark"]})
        notes.append({name: text.format(after_s=round(mark["after_s"])) for name, text in words.items()})
    if not notes:
        return None
    return {"en": "; ".join(note["en"] for note in notes), "zh": "；".join(note["zh"] for note in notes)}


def _recording_notes(recording: Row) -> list[Text]:
    notes: list[Text] = []
    if recording["cut_short"]:
        notes.append(cut_short_note(recording["duration_ms"] or 0))
    if recording["status"] == "failed":
        notes.append({"en": "could not be recorded", "zh": "无法录音"})
    if recording["status"] == "deleted":
        notes.append({"en": "the sound was deleted", "zh": "声音已删除"})
    if recording["silent"]:
        notes.append({"en": "silent", "zh": "无声"})
    elif recording["one_way"]:
        notes.append({"en": "only one side is heard", "zh": "只有一方有声音"})
    return notes
