"""Makes rows for people (calls, recordings, alarms) of records. Records come in any order; the highest seq counts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sync import wire
from sync.receiver.sql import Rows

_INTEGER_MAX = 2**63 - 1


def project(rows: Rows, dev: str, record: wire.Record) -> None:
    """Whatever a box wrote into ``record.data``, this raises nothing but what the database raises: the record itself
    is kept in any case, and fields that are not what they should be are left empty."""
    kind, _, _what = record.type.partition(".")
    data = record.data
    if kind == "call":
        _upsert(
            rows,
            "call",
            {"dev": dev, "call": _text(data.get("id"))},
            record,
            {
                **{
                    name: _text(data.get(name))
                    for name in ("line", "direction", "status", "number", "name", "presentation", "outcome")
                },
                "boot_no": _integer(data.get("boot_no")),
                "started_boot_ns": _integer(data.get("started_boot_ns")),
                "started_ms": _integer(data.get("started_utc_ms")),
                "answered_ms": _integer(data.get("answered_utc_ms")),
                "ended_ms": _integer(data.get("ended_utc_ms")),
            },
        )
    elif kind == "recording":
        fields: dict[str, object] = {
            "call": _text(data.get("call_id")),
            "part": _integer(data.get("part")),
            "duration_ms": _integer(data.get("duration_ms")),
            "cut_short": int(data.get("cut_short") is True),
            "status": _text(data.get("status")),
            "error": _text(data.get("error")),
        }
        if "files" in data:  # a later record (of a deletion) does not name them: what the cloud has stays known
            fields["files"] = _files(data["files"])
        _upsert(rows, "recording", {"dev": dev, "recording": _text(data.get("id"))}, record, fields)
    elif kind == "alarm":
        _upsert(
            rows,
            "alarm",
            {"dev": dev, "epoch": record.epoch, "alarm": _integer(data.get("id"))},
            record,
            {
                **{name: _text(data.get(name)) for name in ("key", "subject", "severity")},
                "body": _json(data),
                "since_ms": _integer(data.get("since_utc_ms")),
                "resolved_ms": _integer(data.get("resolved_utc_ms")),
            },
        )
    elif record.type == "clock.fixed":
        names = ("first_utc_ms", "first_boot_ns", "offset_ms")
        values = {name: _integer(data.get(name)) for name in names}
        if None not in values.values():
            key = {"dev": dev, "epoch": record.epoch, "boot_no": _integer(data.get("boot_no"))}
            _upsert(rows, "boot", key, record, values)


def _upsert(
    rows: Rows,
    table: str,
    key: Mapping[str, object],
    record: wire.Record,
    fields: Mapping[str, object],
) -> None:
    if any(value in (None, "") for value in key.values()):
        return
    values = {**key, "epoch": record.epoch, "seq": record.seq, **fields}
    changes = ", ".join(f"{name} = excluded.{name}" for name in values if name not in key)
    # Of one epoch the later seq counts; another epoch is a new database of the same box, and newer.
    rows.run(
        f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join(f':{name}' for name in values)}) "  # noqa: S608
        f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes} "
        f"WHERE excluded.epoch <> {table}.epoch OR excluded.seq > {table}.seq",
        **values,
    )


def _text(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    return storable(value[:1000])


def storable(text: str) -> str:
    """Half a surrogate pair, which JSON can spell, has no UTF-8; and PostgreSQL takes no NUL."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _integer(value: object) -> int | None:
    return value if type(value) is int and -_INTEGER_MAX <= value <= _INTEGER_MAX else None


def _json(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 100_000 else "{}"


def _files(value: object) -> str:
    if not isinstance(value, list):
        return "[]"
    files: list[dict[str, Any]] = [
        {"fid": one["fid"], "codec": _text(one.get("codec")), "size": _integer(one.get("size"))}
        for one in value[:10]
        if isinstance(one, dict) and isinstance(one.get("fid"), str)
    ]
    return json.dumps(files)
