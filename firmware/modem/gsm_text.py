"""The GSM 7 bit default alphabet and its packing (3GPP TS 23.038 6.1.2 and 6.2; pure)."""

from __future__ import annotations

from typing import Final

ALPHABET: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION: Final = {
    0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\", 0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|", 0x65: "€",
}  # fmt: skip
_ESCAPE: Final = 0x1B
_CODES: Final = {letter: [code] for code, letter in enumerate(ALPHABET) if code != _ESCAPE} | {
    letter: [_ESCAPE, code] for code, letter in EXTENSION.items()
}


def septets_of(text: str) -> list[int] | None:
    """The text in the default alphabet; None when a letter is not in it."""
    codes: list[int] = []
    for letter in text:
        if letter not in _CODES:
            return None
        codes += _CODES[letter]
    return codes


def text_of(septets: list[int]) -> str:
    letters = []
    escaped = False
    for code in septets:
        if escaped:
            letters.append(EXTENSION.get(code, ALPHABET[code]))
            escaped = False
        elif code == _ESCAPE:
            escaped = True
        else:
            letters.append(ALPHABET[code])
    return "".join(letters)


def pack(septets: list[int], fill_bits: int = 0) -> bytes:
    """Seven bits each, lowest first, after ``fill_bits`` empty ones."""
    value, length = 0, fill_bits
    for code in septets:
        value |= code << length
        length += 7
    return value.to_bytes((length + 7) // 8, "little")


def unpack(data: bytes, count: int, fill_bits: int = 0) -> list[int]:
    value = int.from_bytes(data, "little") >> fill_bits
    return [value >> 7 * n & 0x7F for n in range(count)]


def unpack_7bit(data: bytes) -> str:
    """All of ``data``; the padding of 7 left-over bits (TS 23.038 6.1.2.3.1) is taken off."""
    return text_of(unpack(data, len(data) * 8 // 7)).rstrip("\r@")
