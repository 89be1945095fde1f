"""The comparison finds every way in which a box can be wrong, and finds nothing when it is right."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from simulator.compare import compare_ledger, compare_lists, listen, pair
from simulator.journal import FaultDone, Said, StreetCall
from simulator.speech import say

T0 = 1_795_000_000_000


def street() -> list[StreetCall]:
    return [
        StreetCall(
            id="0001-fxo-1",
            line="fxo-1",
            direction="incoming",
            number="02155507301",
            presentation="valid",
            start_utc_ms=T0,
            answered_utc_ms=T0 + 6500,
            end_utc_ms=T0 + 15000,
            outcome="answered",
            said=[
                Said(side="local", prompt="l01", at_utc_ms=T0 + 7000),
                Said(side="remote", prompt="r01", at_utc_ms=T0 + 11000),
            ],
        ),
        StreetCall(
            id="0002-sim-1",
            line="sim-1",
            direction="incoming",
            number=None,
            presentation="withheld",
            start_utc_ms=T0,
            end_utc_ms=T0 + 8000,
            outcome="missed",
        ),
        StreetCall(
            id="0003-sim-1",
            line="sim-1",
            direction="outgoing",
            number="13800550123",
            presentation="valid",
            start_utc_ms=T0 + 20000,
            answered_utc_ms=T0 + 23000,
            end_utc_ms=T0 + 30000,
            outcome="answered",
            said=[
                Said(side="remote", prompt="r02", at_utc_ms=T0 + 24000),
                Said(side="local", prompt="l02", at_utc_ms=T0 + 28000),
            ],
        ),
    ]


def recording(call: str, roles: list[str]) -> dict[str, Any]:
    return {
        "id": f"{call}.p1",
        "part": 1,
        "status": "sealed",
        "roles": roles,
        "flac_path": f"{call}.flac",
        "opus_path": f"{call}.opus",
    }


def box(calls: list[StreetCall]) -> list[dict[str, Any]]:
    """What a box that is right lists."""
    return [
        {
            "id": c.id,
            "line": c.line,
            "direction": c.direction,
            "number": c.number,
            "presentation": c.presentation,
            "started_utc_ms": c.start_utc_ms + 40,
            "answered_utc_ms": None if c.answered_utc_ms is None else c.answered_utc_ms + 60,
            "ended_utc_ms": (c.end_utc_ms or 0) - 30,
            "outcome": c.outcome,
            "recordings": [recording(c.id, ["mixed"] if c.line.startswith("fxo") else ["remote", "local"])]
            if c.said
            else [],
        }
        for c in calls
    ]


def ledger(calls: list[dict[str, Any]]) -> dict[str, Any]:
    entries = [
        {
            "id": f"e{n}",
            "line": call["line"],
            "kind": "ring",
            "at_utc_ms": call["started_utc_ms"],
            "disposition": "missed" if call["outcome"] == "missed" else "call",
            "call_id": call["id"],
            "fault": None,
        }
        for n, call in enumerate(calls)
    ]
    balance = {"call": len(entries), "missed": 0, "fault": 0, "open": 0, "unexplained": 0}
    return {"balance": balance, "balanced": True, "faults": [], "entries": entries}


def test_a_box_that_is_right_has_no_differences():
    pairing = pair(street(), box(street()))
    assert compare_lists(pairing) == []
    assert compare_ledger(ledger(box(street())), pairing) == []


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("direction", "outgoing", "direction was 'incoming'"),
        ("number", "02155507302", "number was '02155507301'"),
        ("number", None, "number was '02155507301'"),
        ("outcome", "missed", "outcome was 'answered'"),
        ("outcome", None, "outcome was 'answered'"),
        ("started_utc_ms", T0 + 1100, "start +1100 ms off"),
        ("ended_utc_ms", T0 + 15000 - 1001, "end -1001 ms off"),
        ("ended_utc_ms", None, "the box says None"),
        ("answered_utc_ms", T0 + 9000, "answer +2500 ms off"),
    ],
)
def test_each_wrong_field_is_found(field, value, said):
    calls = box(street())
    calls[0][field] = value
    (difference,) = compare_lists(pair(street(), calls))
    assert said in difference
    assert "fxo-1" in difference


def test_a_withheld_number_must_be_called_withheld():
    calls = box(street())
    calls[1]["presentation"] = "unavailable"
    (difference,) = compare_lists(pair(street(), calls))
    assert "withheld" in difference


def test_a_missing_and_an_invented_call_are_found():
    calls = box(street())
    (missing,) = compare_lists(pair(street(), calls[1:]))
    assert "no such call" in missing
    invented = copy.deepcopy(calls[0]) | {"id": "x", "started_utc_ms": T0 + 500_000}
    (extra,) = compare_lists(pair(street(), [*calls, invented]))
    assert "never was" in extra


def test_one_call_listed_twice_is_one_too_many():
    calls = box(street())
    (extra,) = compare_lists(pair(street(), [*calls, copy.deepcopy(calls[0]) | {"id": "again"}]))
    assert "never was" in extra


def test_a_call_that_did_not_go_as_planned_proves_nothing():
    played = street()
    played[2].trouble = "the box refused"
    (difference,) = compare_lists(pair(played, box(street())))
    assert "did not go as planned" in difference


def test_the_ledger_must_balance_name_every_call_and_invent_no_fault():
    calls = box(street())
    pairing = pair(street(), calls)
    unbalanced = ledger(calls)
    unbalanced["balanced"] = False
    assert any("does not balance" in d for d in compare_ledger(unbalanced, pairing))
    without = ledger(calls)
    without["entries"] = without["entries"][1:]
    assert any("has nothing" in d for d in compare_ledger(without, pairing))
    wrong = ledger(calls)
    wrong["entries"][1]["disposition"] = "call"
    assert any("should have it as 'missed'" in d for d in compare_ledger(wrong, pairing))
    invented = ledger(calls)
    hole = {"id": "f", "line": "fxo-1", "kind": "hole", "at_utc_ms": T0, "disposition": "fault", "call_id": None}
    invented["entries"].append(hole | {"fault": "recorder_was_down"})
    assert any("a fault nobody made" in d for d in compare_ledger(invented, pairing))


def test_a_pulled_device_must_be_in_the_ledger_and_explains_its_fault():
    played = street()
    played[2].faults.append(FaultDone(kind="pull_module", at_utc_ms=T0 + 29000))
    calls = box(played)
    pairing = pair(played, calls)
    assert any("is not in the ledger" in d for d in compare_ledger(ledger(calls), pairing))
    told = ledger(calls)
    fault = {"id": "f", "line": "sim-1", "kind": "line_down", "at_utc_ms": T0 + 30000, "disposition": "fault"}
    told["entries"].append(fault | {"call_id": None, "fault": "device_lost"})
    assert compare_ledger(told, pairing) == []


def sounds(swapped: bool = False) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)

    def channel(*prompts: str) -> np.ndarray:
        line = rng.standard_normal(8000 * 12) * 5e-4
        for n, prompt in enumerate(prompts):
            line[8000 + n * 40000 :][: len(say(prompt))] += say(prompt) * 0.6
        return line

    sides = [channel("r02"), channel("l02")]
    if swapped:
        sides.reverse()
    return {"0001-fxo-1": channel("l01", "r01")[:, None], "0003-sim-1": np.stack(sides, axis=1)}


def differences(files: dict[str, np.ndarray], calls: list[dict[str, Any]]) -> list[str]:
    found = []
    for one in pair(street(), calls).pairs:
        found += listen(one, lambda path: (files[path.rpartition(".")[0]], 8000))[1]
    return found


def test_the_right_voices_on_the_right_channels():
    assert differences(sounds(), box(street())) == []


def test_swapped_channels_are_found_four_times_in_each_file():
    found = differences(sounds(swapped=True), box(street()))
    assert len(found) == 8
    assert sum("is not on channel" in d for d in found) == 4
    assert sum("is on channel" in d for d in found) == 4


def test_one_silent_side_is_found():
    files = sounds()
    files["0003-sim-1"][:, 1] = 0
    found = differences(files, box(street()))
    assert [("l02" in d, "channel local" in d) for d in found] == [(True, True), (True, True)]


def test_the_sound_of_another_call_is_found():
    files = sounds()
    files["0001-fxo-1"] = sounds()["0003-sim-1"][:, :1]
    assert any("l01 is not on channel mixed of the flac" in d for d in differences(files, box(street())))


def test_a_missing_and_an_unsealed_recording_are_found():
    calls = box(street())
    calls[0]["recordings"] = []
    calls[2]["recordings"][0]["status"] = "closed"
    found = differences(sounds(), calls)
    assert any("has no recording" in d for d in found)
    assert any("is closed, not sealed" in d for d in found)


def test_a_prompt_may_be_in_any_part_of_a_call_with_two_parts():
    calls = box(street())
    first, second = recording("0001-fxo-1", ["mixed"]), recording("part2", ["mixed"]) | {"part": 2}
    calls[0]["recordings"] = [first, second]
    files = sounds()
    whole = files["0001-fxo-1"]
    half = 8000 + 40000 - 2000
    files["0001-fxo-1"], files["part2"] = whole[:half], whole[half:]
    assert differences(files, calls) == []


def test_a_one_channel_recording_of_a_two_channel_line_is_found():
    calls = box(street())
    calls[2]["recordings"] = [recording("0003-sim-1", ["remote"])]
    found = differences(sounds(), calls)
    assert any("no channel of the recording is for the local side" in d for d in found)
