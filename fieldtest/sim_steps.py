"""The steps of a SIM line that need no call: card, network, signal, and the minutes that are left."""

from __future__ import annotations

from fieldtest.access import Access
from fieldtest.results import Results, Words
from firmware.errors import RequestError

_UNKNOWN = ("the module has not said it yet", "模块尚未报告")


def judge_sim(results: Results, box: Access, line: str) -> None:
    """As `sim.status` shows the line."""
    found = next((one for one in box.request("sim.status")["sims"] if one["line"] == line), None)
    if found is None:
        for name in ("card", "registered", "signal", "voice"):
            results.not_tested(name, *_UNKNOWN)
        return
    if found["sim"] is None:
        results.not_tested("card", *_UNKNOWN)
    else:
        results.fact("card", found["sim"] == "READY", note=Words(en=found["sim"], zh=found["sim"]))
    states = [state for state in (found["circuit"], found["packet"]) if state is not None]
    if not states:
        results.not_tested("registered", *_UNKNOWN)
    else:
        operator = found["operator"] or ""
        note = Words(en=operator, zh=operator) if operator else None
        results.fact("registered", any(str(state) in _REGISTERED for state in states), note=note)
    if found["signal_dbm"] is None:
        results.not_tested("signal", *_UNKNOWN)
    else:
        results.measured("signal", found["signal_dbm"])
    if found["voice"] == "unknown":
        results.not_tested("voice", *_UNKNOWN)
    else:
        results.fact("voice", found["voice"] != "none", note=Words(en=found["voice"], zh=found["voice"]))


def judge_minutes(results: Results, box: Access, line: str) -> None:
    """What is left of the plan, where the line has one."""
    try:
        used = box.request("sim.minutes", line=line)["minutes"]
    except RequestError:
        used = None
    if used is None or used["left_s"] is None:
        results.not_tested("minutes", "this line has no plan", "该线路没有套餐")
    else:
        results.measured("minutes", used["left_s"] / 60)


_REGISTERED = ("home", "roaming")
