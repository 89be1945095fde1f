"""Coverage-guided fuzzing of what reads an AT port: ``python -m tests.fuzz.at [libFuzzer options] [corpus]``.

Any bytes, in any chunks: no exception, the same lines however they were cut, every event a JSON object, at most one end
per call, and a way out of every state.
"""

from __future__ import annotations

import json
import sys

from firmware.events import Answered, CallEnded, DialStarted, LineUp, Ring
from firmware.model import Instant, LineId
from firmware.modem.at_capture import CaptureError, events
from firmware.modem.at_events import BRANDS, AtEvent, ListedCall, parse_line
from firmware.modem.at_json import as_json
from firmware.modem.at_lines import LineCutter
from firmware.modem.engine import Answer, AtEngine, Command
from firmware.modem.tracker import CallTracker, Phase

_COMMANDS = (Command("AT+CLCC", prefix="+CLCC:"), Command("ATD112;", dials=True), Command("AT+CGMM", free_text=True))


def one(data: bytes) -> None:
    """Runs everything that reads bytes of a module over ``data``; its first byte says how it is cut."""
    if not data:
        return
    step, data = data[0] % 31 + 1, data[1:]
    _same_lines(data, step)
    _conversation(data, step)
    for brand in (None, *BRANDS):
        for line in LineCutter().feed(data + b"\r"):
            json.dumps(as_json(parse_line(line.text, brand)))
    try:
        for event in events(data):
            json.dumps(event)
    except CaptureError:
        pass


def _same_lines(data: bytes, step: int) -> None:
    whole = LineCutter().feed(data + b"\r")
    cutter = LineCutter()
    pieces = [line for at in range(0, len(data), step) for line in cutter.feed(data[at : at + step])]
    assert [*pieces, *cutter.feed(b"\r")] == whole


def _conversation(data: bytes, step: int) -> None:
    engine, tracker, now_s = AtEngine(), CallTracker(LineId("sim-1")), 1.0
    told = list(tracker.line_up([], _at(now_s)))
    for n, at in enumerate(range(0, len(data), step)):
        if n % 4 == 0:
            engine.submit(_COMMANDS[n // 4 % 3])
        engine.next_bytes(now_s)
        outputs = engine.receive(data[at : at + step], now_s)
        now_s += 0.4
        outputs += engine.on_time(now_s)[0]
        for output in outputs:
            if isinstance(output, Answer) and output.ok and output.command.text == "AT+CLCC":
                rows = [event for event in output.events if isinstance(event, ListedCall)]
                told += tracker.on_list(rows, _at(now_s))
            elif isinstance(output, AtEvent):
                told += tracker.on_event(output, _at(now_s))
        told += tracker.on_time(_at(now_s))
    for _ in range(2):  # the way out: two valid empty lists
        now_s += 2.0
        told += tracker.on_time(_at(now_s))
        told += tracker.on_list([], _at(now_s))
    assert tracker.phase is Phase.IDLE
    _each_call_ends_once(told)


def _each_call_ends_once(told: list[object]) -> None:
    in_call = False
    for event in told:
        if isinstance(event, Ring | DialStarted):
            assert isinstance(event, Ring) or not in_call, "a dial in a call"
            in_call = True
        elif isinstance(event, Answered):
            assert in_call, "answered, but no call"
        elif isinstance(event, CallEnded):
            assert in_call, "ended, but no call"
            in_call = False
        else:
            assert not isinstance(event, LineUp) or event is told[0]
    assert not in_call


def _at(seconds: float) -> Instant:
    return Instant(round(seconds * 1e9), round(seconds * 1e9) + 10**18)


if __name__ == "__main__":
    import atheris

    atheris.instrument_all()
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
