"""Coverage-guided fuzzing of what reads a voice modem: ``python -m tests.fuzz.voice [options] [corpus]``.

Any bytes, in any chunks, sound expected or not: no exception, nothing lost and nothing made up when the stream is cut
differently, every sample told once, and no number but a telephone's.
"""

from __future__ import annotations

import re

from firmware.model import Presentation
from firmware.modem.dle import DleEvent, DleReader, Piece, Sound, SoundEnded, Text, to_s16, to_u8
from firmware.modem.voice_callerid import CallerIdText
from tests.fuzz.running import run

_NUMBER = re.compile(r"\+?[0-9*#]{2,20}", re.ASCII)


def one(data: bytes) -> None:
    """Its first byte says how the rest is cut, and whether sound is expected."""
    if not data:
        return
    step, sound, data = data[0] % 31 + 1, data[0] >= 128, data[1:]
    assert _read(data, step, sound) == _read(data, len(data) + 1, sound)
    _caller(data)
    assert to_u8(to_s16(data)) == data


def _read(data: bytes, step: int, sound: bool) -> list[tuple[str, bytes]]:
    """Pieces of one kind that follow each other are one."""
    reader, joined = DleReader(), list[tuple[str, bytes]]()
    if sound:
        reader.expect_sound()
    for at in range(0, len(data), step):
        for piece in reader.feed(data[at : at + step]):
            kind, content = _as_bytes(piece)
            if joined and joined[-1][0] == kind and kind in {"text", "sound"}:
                joined[-1] = (kind, joined[-1][1] + content)
            else:
                joined.append((kind, content))
    return joined


def _as_bytes(piece: Piece) -> tuple[str, bytes]:
    match piece:
        case Text(data):
            return "text", data
        case Sound(data):
            return "sound", data
        case DleEvent(code):
            assert len(code) == 1
            return "event", code.encode("latin-1")
        case SoundEnded():
            return "end", b""


def _caller(data: bytes) -> None:
    caller = CallerIdText()
    for line in data.decode("latin-1").splitlines():
        caller.feed(line)
        assert (caller.number is not None) == (caller.presentation is Presentation.VALID)
        assert caller.number is None or _NUMBER.fullmatch(caller.number)
        assert caller.name is None or (len(caller.name) <= 50 and caller.name.isprintable())


if __name__ == "__main__":
    run(one)
