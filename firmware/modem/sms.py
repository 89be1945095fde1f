"""Short messages as SIM modules want and give them: PDUs of 3GPP TS 23.040 (pure)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Final

import attrs

from firmware.errors import OffhookError
from firmware.modem.gsm_text import pack, septets_of, text_of, unpack

_ONE_7BIT: Final = 160
_PART_7BIT: Final = 153
_ONE_UCS2: Final = 140
_PART_UCS2: Final = 134


class MessageError(OffhookError):
    """A PDU is damaged, or a number or text cannot be sent."""


@attrs.frozen(kw_only=True)
class Incoming:
    """An SMS-DELIVER."""

    number: str
    text: str
    sent: datetime | None
    reference: int | None = None
    part: int = 1
    parts: int = 1


def decode(pdu: str) -> Incoming:
    """One received PDU in hex, its message centre first. Raises `MessageError` when it is damaged."""
    try:
        return _decode(bytes.fromhex(pdu.strip()))
    except (ValueError, IndexError) as error:
        raise MessageError(f"a received message cannot be read ({error})") from error


def _decode(data: bytes) -> Incoming:
    at = 1 + data[0]
    first = data[at]
    if first & 0x03 != 0:
        raise ValueError("it is no SMS-DELIVER")
    digits = data[at + 1]
    kind = data[at + 2]
    at += 3
    number = _address(data[at : at + (digits + 1) // 2], digits, kind)
    at += (digits + 1) // 2
    coding, stamp, length = data[at + 1], data[at + 2 : at + 9], data[at + 9]
    body = data[at + 10 :]
    header = body[1 : 1 + body[0]] if first & 0x40 and body else b""
    reference, part, parts = _concatenation(header)
    skip = len(header) + 1 if first & 0x40 else 0
    if _is_ucs2(coding):
        text = body[skip:length].decode("utf-16-be", "replace")
    elif coding & 0x0C == 0x04 and coding < 0xC0:
        text = body[skip:length].decode("latin-1")  # 8 bit data: shown as far as it can be
    else:
        header_septets = -(-skip * 8 // 7)
        text = text_of(unpack(body[skip:], length - header_septets, header_septets * 7 - skip * 8))
    return Incoming(number=number, text=text, sent=_moment(stamp), reference=reference, part=part, parts=parts)


def encode(number: str, text: str, *, reference: int = 0) -> list[tuple[int, str]]:
    """``(length for AT+CMGS, PDU in hex)`` for each part of the message. Raises `MessageError`.

    The message centre is the SIM's own. A text with one letter outside the GSM alphabet goes as UCS2.
    """
    address = _address_field(number)
    septets = septets_of(text)
    if not text:
        raise MessageError("an empty message cannot be sent")
    bodies = _bodies_7bit(septets, reference) if septets is not None else _bodies_ucs2(text, reference)
    if len(bodies) > 255:
        raise MessageError(f"a message of {len(bodies)} parts cannot be sent; 255 are the most")
    coding = 0x00 if septets is not None else 0x08
    with_header = 0x40 if len(bodies) > 1 else 0x00
    return [
        (len(address) + len(body) + 5, (b"\x00" + bytes([0x01 | with_header, 0x00]) + address
                                        + bytes([0x00, coding, length]) + body).hex().upper())
        for length, body in bodies
    ]  # fmt: skip


def _bodies_7bit(septets: list[int], reference: int) -> list[tuple[int, bytes]]:
    if len(septets) <= _ONE_7BIT:
        return [(len(septets), pack(septets))]
    pieces: list[list[int]] = []
    at = 0
    while at < len(septets):
        end = min(at + _PART_7BIT, len(septets))
        if end < len(septets) and septets[end - 1] == 0x1B:
            end -= 1  # an escape and its letter stay together
        pieces.append(septets[at:end])
        at = end
    return [
        (len(piece) + 7, _header(reference, n, len(pieces)) + pack(piece, fill_bits=1))
        for n, piece in enumerate(pieces, 1)
    ]


def _bodies_ucs2(text: str, reference: int) -> list[tuple[int, bytes]]:
    raw = text.encode("utf-16-be")
    if len(raw) <= _ONE_UCS2:
        return [(len(raw), raw)]
    pieces: list[bytes] = []
    at = 0
    while at < len(raw):
        end = min(at + _PART_UCS2, len(raw))
        if end < len(raw) and 0xD8 <= raw[end - 2] <= 0xDB:
            end -= 2  # both halves of a surrogate pair stay together
        pieces.append(raw[at:end])
        at = end
    return [(len(piece) + 6, _header(reference, n, len(pieces)) + piece) for n, piece in enumerate(pieces, 1)]


def _header(reference: int, part: int, parts: int) -> bytes:
    """TS 23.040 9.2.3.24.1: concatenated short messages, 8 bit reference."""
    return bytes([0x05, 0x00, 0x03, reference & 0xFF, parts & 0xFF, part])


def _concatenation(header: bytes) -> tuple[int | None, int, int]:
    at = 0
    while at + 2 <= len(header):
        kind, size = header[at], header[at + 1]
        value = header[at + 2 : at + 2 + size]
        if kind == 0x00 and size == 3:
            return value[0], value[2], value[1]
        if kind == 0x08 and size == 4:
            return value[0] << 8 | value[1], value[3], value[2]
        at += 2 + size
    return None, 1, 1


def _is_ucs2(coding: int) -> bool:
    return (coding < 0xC0 and coding & 0x0C == 0x08) or coding & 0xF0 == 0xE0


def _address(data: bytes, digits: int, kind: int) -> str:
    if kind & 0x70 == 0x50:  # alphanumeric: a name instead of a number
        return text_of(unpack(data, digits * 4 // 7))
    number = "".join("0123456789*#abc"[n] for byte in data for n in (byte & 0x0F, byte >> 4) if n < 15)[:digits]
    return "+" + number if kind & 0x70 == 0x10 else number


def _address_field(number: str) -> bytes:
    digits = "".join(c for c in number if c not in " -().")
    international = digits.startswith("+")
    digits = digits.removeprefix("+")
    if not digits or len(digits) > 20 or any(c not in "0123456789*#" for c in digits):
        raise MessageError(f"{number!r} is no number a message can be sent to")
    padded = digits + "F" * (len(digits) % 2)
    codes = ["0123456789*#___F".index(c) for c in padded]
    swapped = bytes(codes[n] | codes[n + 1] << 4 for n in range(0, len(codes), 2))
    return bytes([len(digits), 0x91 if international else 0x81]) + swapped


def _moment(stamp: bytes) -> datetime | None:
    """TS 23.040 9.2.3.11: swapped digits, zone in quarters of an hour, its sign in bit 3."""
    year, month, day, hour, minute, second = ((byte & 0x0F) * 10 + (byte >> 4) for byte in stamp[:6])
    quarters = (stamp[6] & 0x07) * 10 + (stamp[6] >> 4)
    zone = timezone(timedelta(minutes=15 * (-quarters if stamp[6] & 0x08 else quarters)))
    try:
        return datetime(2000 + year, month, day, hour, minute, second, tzinfo=zone).astimezone(UTC)
    except ValueError:
        return None
