"""The boot state: a U-Boot environment with a checksum, as boot.cmd and RAUC read and write it.

A little-endian CRC-32 of all that follows, then ``NAME=value`` strings, each ended by a zero byte, the last by two.
"""

from __future__ import annotations

import struct
import zlib

SIZE = 0x4000
OFFSET = 0x100000
MARK_OFFSET = 3072 * 512
MARK = b"OFFHOOK-NEW-DATA"


def packed(values: dict[str, str]) -> bytes:
    """``SIZE`` bytes."""
    body = b"".join(f"{name}={value}\0".encode() for name, value in values.items()) + b"\0"
    body = body.ljust(SIZE - 4, b"\0")
    return struct.pack("<I", zlib.crc32(body)) + body


def unpacked(block: bytes) -> dict[str, str] | None:
    """None when the checksum says that it was torn, or never written."""
    body = block[4:SIZE]
    if len(block) < SIZE or struct.unpack("<I", block[:4])[0] != zlib.crc32(body):
        return None
    strings = body.split(b"\0\0")[0].split(b"\0")
    return dict(text.decode().split("=", 1) for text in strings if b"=" in text)
