"""Coverage-guided fuzzing of what reads a line monitor's records: ``python -m tests.fuzz.whozz [options] [corpus]``.

Any bytes, in any chunks: no exception, the same records however they were cut, no memory that grows, and no number out
of a record whose own checksum failed.
"""

from __future__ import annotations

import re

from firmware.analog.whozz import LONGEST_RECORD_BYTES, CallRecord, Detail, RecordReader, Strange
from tests.fuzz.running import run

_NUMBER = re.compile(r"\+?[0-9*#]{1,20}", re.ASCII)


def one(data: bytes) -> None:
    """Its first byte says how the rest is cut."""
    if not data:
        return
    step, data = data[0] % 31 + 1, data[1:]
    whole = RecordReader().feed(data + b"\r\n")
    reader, told = RecordReader(), []
    for at in range(0, len(data), step):
        told += reader.feed(data[at : at + step])
        assert len(reader._rest) <= LONGEST_RECORD_BYTES
    told += reader.feed(b"\r\n")
    # A line that is too long is told of as soon as it is; cut differently it may be read and refused as a whole.
    assert [r for r in told if not isinstance(r, Strange)] == [r for r in whole if not isinstance(r, Strange)]
    for record in told:
        _sound(record)


def _sound(record: Detail | CallRecord | Strange) -> None:
    if isinstance(record, Strange):
        assert record.why
        return
    assert 0 <= record.line <= 99
    if isinstance(record, CallRecord):
        assert record.checksum_ok or (record.number is None and record.name is None)
        assert record.number is None or _NUMBER.fullmatch(record.number)


if __name__ == "__main__":
    run(one)
