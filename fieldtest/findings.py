"""What is wrong, in words, and what to do about it: from failed steps to named faults. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from fieldtest.catalogue import Group, step
from fieldtest.fault_words import FAULTS, TODO, TODO_ANY
from fieldtest.judge_call import DEAD_DBM0
from fieldtest.results import Result, Words
from fieldtest.verdicts import Verdict


@frozen(kw_only=True)
class Finding:
    """``fault`` is for machines, ``words`` and ``todo`` are for people."""

    fault: str
    subject: str
    words: Words
    todo: Words


def findings(group: Group, subject: str, results: Mapping[str, Result]) -> list[Finding]:
    """Every failed step is in one finding at least: a named fault that explains it, or its own name."""
    failed = {name for name, one in results.items() if one.verdict is Verdict.FAILED}
    found: list[Finding] = []
    for fault in _named(failed, results):
        words, todo, explains = FAULTS[fault]
        found.append(Finding(fault=fault, subject=subject, words=_with_note(words, results, explains), todo=todo))
        failed -= set(explains)
    for name in results:
        if name in failed:
            found.append(_plain(group, subject, results[name]))
    return found


def _named(failed: set[str], results: Mapping[str, Result]) -> list[str]:
    found = []
    if "wiring" in failed:
        return ["wrong_wiring"]
    if "right_place" in failed:
        found.append("swapped_channels")
    else:
        dead = {side for side in ("far", "near") if _is_dead(results.get(f"{side}_level"))}
        if dead == {"far", "near"}:
            found.append("dead_sound_path")
        elif dead:
            found.append("dead_microphone" if dead == {"near"} else "dead_far_path")
    found += ["hum"] if "hum" in failed and "swapped_channels" not in found else []
    found += ["ring_bounces"] if "ring_bounce" in failed else []
    found += ["weak_signal"] if "signal" in failed else []
    found += ["slow_card"] if failed & {"storage_rate", "storage_stall"} else []
    return found


def _is_dead(level: Result | None) -> bool:
    return level is not None and level.value is not None and level.value < DEAD_DBM0


def _with_note(words: Words, results: Mapping[str, Result], explains: tuple[str, ...]) -> Words:
    note = results[explains[0]].note if explains[0] in results else None
    return words if note is None else Words(en=f"{words.en} ({note.en})", zh=f"{words.zh}（{note.zh}）")


def _plain(group: Group, subject: str, result: Result) -> Finding:
    about = step(group, result.step)
    value = "" if about.limits is None or result.value is None else f" {result.value:g} {about.unit}".rstrip()
    limits = f" ({about.limits.text()})" if about.limits else ""
    note = (f": {result.note.en}", f"：{result.note.zh}") if result.note else ("", "")
    return Finding(
        fault=result.step,
        subject=subject,
        words=Words(en=f"{about.en}: failed{value}{limits}{note[0]}", zh=f"{about.zh}：不合格{value}{limits}{note[1]}"),
        todo=TODO.get(result.step, TODO_ANY),
    )
