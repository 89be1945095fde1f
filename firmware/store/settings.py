"""The settings document, one row per version; the newest is in force. What it says is checked elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from sqlite_utils import Database

from firmware.errors import ConflictError
from firmware.store import outbox
from firmware.store.transaction import Transaction, fetch


@dataclass(frozen=True, slots=True)
class Setting:
    version: int
    document: str
    """TOML."""
    applied_utc_ms: int
    applied_by: str


def newest(db: Database) -> Setting | None:
    """The settings in force; None before the first ones."""
    rows = fetch(db, "SELECT version, document, applied_utc_ms, applied_by FROM setting ORDER BY version DESC LIMIT 1")
    return Setting(**rows[0]) if rows else None


def apply(tx: Transaction, *, base_version: int, document: str, by: str) -> int:
    """Puts ``document`` in force and returns its version. ``base_version`` is 0 before the first settings.

    Raises `ConflictError` when ``base_version`` is not in force. The same document again keeps its version.
    """
    current = newest(tx.db)
    in_force = current.version if current else 0
    if base_version != in_force:
        raise ConflictError(
            f"settings version {in_force} is in force, yours are based on {base_version}: "
            "load them again and repeat the change"
        )
    if current is not None and current.document == document:
        return in_force
    cursor = tx.execute(
        "INSERT INTO setting (document, applied_utc_ms, applied_by) VALUES (?, ?, ?)", (document, tx.now.utc_ms, by)
    )
    version = int(cursor.lastrowid or 0)
    outbox.put(tx, "config.applied", {"version": version, "by": by, "document": document})
    return version
