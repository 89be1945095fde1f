"""Asks a Huawei stick which of its ports is which: 12d1:1506 has two orders, and AT^SETPORT says which one it is in."""

from __future__ import annotations

import logging
import re
import termios
import time
from collections.abc import Collection, Mapping
from typing import Final

import serial

log = logging.getLogger("offhook.modem")

ANSWER_WITHIN_S: Final = 1.0
GIVE_UP_S: Final = 6.0
"""For one look: a stick that has just been plugged in takes some seconds until it answers."""
LOOKS: Final = 4
"""After so many looks the order that most sticks have is taken: a line that may be wrong says so, none says nothing."""
USUAL: Final = (2, 1)
"""AT on interface 2, sound on interface 1 (asterisk-chan-dongle pdiscovery.c)."""
PCUI, DIAG = "2", "3"
"""AT^SETPORT's codes for the AT port and for the one that carries the sound (asterisk-chan-dongle issue 185)."""

Order = tuple[int, int | None]
"""Interface of the AT port, interface of the sound."""


def order_told(answer: str) -> Order | None:
    """``^SETPORT:A1,A2;1,3,2,A2``: behind the semicolon stand the functions, in the order of the interfaces."""
    match = re.search(r"\^SETPORT:\s*[^;\r\n]*;([0-9A-Fa-f,]+)", answer)
    functions = match[1].upper().split(",") if match is not None else []
    if PCUI not in functions:
        return None
    return functions.index(PCUI), functions.index(DIAG) if DIAG in functions else None


class PortProbe:
    """Remembers what each module told while it stays plugged in: a port that a line uses is never opened again."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, tuple[str, ...]], Order] = {}
        self._looks: dict[tuple[str, tuple[str, ...]], int] = {}

    def order_of(self, path: str, ports: Mapping[int, str]) -> Order | None:
        """The order of the ports of the module at USB path ``path``; None while it does not answer."""
        key = (path, tuple(ports[number] for number in sorted(ports)))
        if key not in self._known:
            order = _ask_all(ports)
            if order is None:
                self._looks[key] = self._looks.get(key, 0) + 1
                if self._looks[key] < LOOKS:
                    return None
                log.warning("the ports of %s cannot be told apart: taken for what most sticks have", path)
                order = USUAL
            self._known[key] = order
        return self._known[key]

    def forget_all_but(self, paths: Collection[str]) -> None:
        """Modules at other places are gone; what comes there next is asked anew."""
        for memory in (self._known, self._looks):
            for key in [key for key in memory if key[0] not in paths]:
                del memory[key]


def _ask_all(ports: Mapping[int, str]) -> Order | None:
    """The first port that knows the order tells it; firmware that does not know it has its AT port where it answers."""
    until_s = time.monotonic() + GIVE_UP_S
    while time.monotonic() < until_s:
        answered = []
        for number, port in sorted(ports.items()):
            said = _ask(port)
            if said is None:
                continue
            if (told := order_told(said)) is not None:
                return told
            answered.append(number)
        if answered:
            return USUAL if USUAL[0] in answered else (answered[-1], None)  # the modem's port, number 0, answers too
    return None


def _ask(port: str) -> str | None:
    """What it answers to AT^SETPORT?; None where nothing answers, or a program uses the port."""
    try:
        with serial.Serial(port, 115200, timeout=0.1, write_timeout=1.0, exclusive=True) as line:
            if "OK" not in _answer(line, b"AT\r"):
                return None
            return _answer(line, b"AT^SETPORT?\r")
    except (OSError, termios.error):  # pyserial's SerialException is an OSError
        time.sleep(0.1)
        return None


def _answer(line: serial.Serial, command: bytes) -> str:
    line.reset_input_buffer()
    line.write(command)
    said = b""
    until_s = time.monotonic() + ANSWER_WITHIN_S
    while time.monotonic() < until_s and not re.search(rb"(OK|ERROR|NOT SUPPORT)", said):
        said += line.read(512)
    return said.decode("latin-1")
