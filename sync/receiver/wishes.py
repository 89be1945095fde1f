"""What an operator wants of a box, put down for the running receiver to pass on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from sync import wire
from sync.receiver.sql import Rows
from sync.topics import WireError


@frozen(kw_only=True)
class Wish:
    """A command for one box."""

    id: str
    dev: str
    op: str
    args: Mapping[str, Any]
    not_after_ms: int


def add_command(rows: Rows, wish: Wish, *, made_ms: int) -> None:
    """Raises `sync.topics.WireError` for a command that cannot be sent."""
    try:
        command = wire.Command(id=wish.id, op=wish.op, args=dict(wish.args), not_after_ms=wish.not_after_ms)
        wire.parse(wire.build(command), wire.Command)
    except ValueError as error:
        raise WireError(f"{wish.op!r:.60} cannot be sent as a command: {error.args[0]}"[:300]) from error
    rows.run(
        "INSERT INTO command (id, dev, op, args, made_ms, not_after_ms) "
        "VALUES (:id, :dev, :op, :args, :made, :not_after)",
        id=wish.id,
        dev=wish.dev,
        op=wish.op,
        args=json.dumps(wish.args),
        made=made_ms,
        not_after=wish.not_after_ms,
    )


def set_desired(rows: Rows, dev: str, document: str, *, set_ms: int) -> int:
    """The version it got."""
    ((version,),) = rows.run(
        "INSERT INTO desired (dev, version, document, set_ms) VALUES (:dev, 1, :document, :at) ON CONFLICT (dev) DO "
        "UPDATE SET version = desired.version + 1, document = excluded.document, set_ms = excluded.set_ms, sent = 0 "
        "RETURNING version",
        dev=dev,
        document=document,
        at=set_ms,
    )
    return int(version)


def told(rows: Rows, wish: str) -> tuple[str, str | None] | None:
    """The state of a command and what its box last said of it; None when nobody asked for it."""
    found = rows.run("SELECT state, result FROM command WHERE id = :id", id=wish)
    return (str(found[0][0]), found[0][1]) if found else None
