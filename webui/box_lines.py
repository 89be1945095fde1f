"""The lines of this box, for pages that let a person choose some."""

from __future__ import annotations

import sqlite3

from firmware.errors import StoreError
from firmware.store.database import open_reader
from firmware.store.transaction import fetch
from webui.services import services


def names() -> dict[str, str]:
    """Ids and what people call them; lines that were taken out stay, because their calls do."""
    try:
        db = open_reader(services().data_dir / "offhook.db")
    except StoreError:
        return {}
    try:
        return {str(row["id"]): str(row["label"]) for row in fetch(db, "SELECT id, label FROM line ORDER BY label, id")}
    except sqlite3.Error:
        return {}
    finally:
        db.close()
