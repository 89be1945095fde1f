"""What an operator wants of a box, put down for the running receiver to pass on."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from firmware.errors import StoreError
from sync import wire
from sync.receiver.sqlite_storage import DATABASE


@frozen(kw_only=True)
class Wish:
    """A command for one box."""

    id: str
    dev: str
    op: str
    args: Mapping[str, Any]
    not_after_ms: int


def add_command(folder: Path, wish: Wish, *, made_ms: int) -> None:
    """Raises `StoreError` without a database, `sync.topics.WireError` for a command that cannot be sent."""
    command = wire.Command(id=wish.id, op=wish.op, args=dict(wish.args), not_after_ms=wish.not_after_ms)
    wire.parse(wire.build(command), wire.Command)
    with _open(folder) as connection:
        connection.execute(
            "INSERT INTO command (id, dev, op, args, made_ms, not_after_ms) VALUES (?, ?, ?, ?, ?, ?)",
            (wish.id, wish.dev, wish.op, json.dumps(wish.args), made_ms, wish.not_after_ms),
        )


def set_desired(folder: Path, dev: str, document: str, *, set_ms: int) -> int:
    """The version it got. Raises `StoreError` without a database."""
    with _open(folder) as connection:
        found = connection.execute(
            "INSERT INTO desired (dev, version, document, set_ms) VALUES (?, 1, ?, ?) ON CONFLICT (dev) DO UPDATE SET "
            "version = version + 1, document = excluded.document, set_ms = excluded.set_ms, sent = 0 RETURNING version",
            (dev, document, set_ms),
        ).fetchone()
    return int(found[0])


def _open(folder: Path) -> sqlite3.Connection:
    if not (folder / DATABASE).exists():
        raise StoreError(f"there is no receiver's database in {folder}: has it run once?")
    return sqlite3.connect(folder / DATABASE, timeout=10.0)
