"""What helps whoever helps: versions, state, settings, counts. No sound, no telephone number, no name, no secret."""

from __future__ import annotations

import json
import platform
import re
import sqlite3
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from firmware.errors import StoreError
from firmware.store.database import SCHEMA_VERSION, open_reader
from firmware.store.retention_plan import space_of
from firmware.store.transaction import fetch

_NUMBERISH = re.compile(r"\+?\d[\d\s()./-]{4,}\d")
_NAMED = re.compile(r"^(\s*(?:label|name|user|always|never|free_numbers|box_id)\s*=).*$", re.M)
_LISTED = re.compile(r"^(\s*(?:always|never|free_numbers)\s*=\s*)\[[^\]]*\]", re.M)
_COUNTED = (
    ("calls by outcome", "SELECT coalesce(outcome, status) AS what, count(*) AS n FROM call GROUP BY 1"),
    ("recordings by state", "SELECT status AS what, count(*) AS n FROM recording GROUP BY 1"),
    ("faults in the ledger", "SELECT fault AS what, count(*) AS n FROM ledger WHERE fault IS NOT NULL GROUP BY 1"),
    ("records for the cloud", "SELECT state AS what, count(*) AS n FROM outbox_event GROUP BY 1"),
    ("files for the cloud", "SELECT state AS what, count(*) AS n FROM outbox_file GROUP BY 1"),
    ("gaps by cause", "SELECT cause AS what, count(*) AS n FROM gap GROUP BY 1"),
    ("put aside", "SELECT kind AS what, count(*) AS n FROM quarantine GROUP BY 1"),
    ("lines", "SELECT kind || ' ' || driver AS what, count(*) AS n FROM line GROUP BY 1"),
)


def without_numbers(text: str) -> str:
    """``text`` with everything that looks like a telephone number taken out."""
    return _NUMBERISH.sub("<number>", text)


def bundle(data_dir: Path, *, settings: str, live: dict[str, Any]) -> str:
    """The whole bundle as text, so that its owner can read it before it leaves the box."""
    space = space_of(data_dir)
    parts = [
        ("Box", _lines({
            "offhook": version("offhook"), "schema": SCHEMA_VERSION, "python": sys.version.split()[0],
            "machine": platform.machine(), "kernel": platform.release(),
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "disk": f"{space.free_percent:.1f} % of {space.total_bytes / 1e9:.1f} GB free",
        })),
        ("Lines now", "\n".join(
            f"{line['id']}: {line['driver']}, phase {line['phase']}, sound {line['sound']}, present {line['present']}"
            for line in live.get("lines", [])
        )),
        *_from_database(data_dir),
        ("Settings", _settings(settings)),
    ]  # fmt: skip
    return "\n".join(f"## {title}\n{body.rstrip() or '(nothing)'}\n" for title, body in parts)


def _from_database(data_dir: Path) -> list[tuple[str, str]]:
    try:
        db = open_reader(data_dir / "offhook.db")
    except StoreError as error:
        return [("Database", str(error))]
    try:
        found = [(title, "\n".join(f"{row['what']}: {row['n']}" for row in fetch(db, sql))) for title, sql in _COUNTED]
        alarms = fetch(db, "SELECT key, subject, count, resolved_utc_ms IS NULL AS stands, params FROM alarm "
                           "ORDER BY id DESC LIMIT 100")  # fmt: skip
        told = "\n".join(
            without_numbers(
                f"{'stands' if row['stands'] else 'over'}: {row['key']} {row['subject']} x{row['count']} "
                f"{json.dumps(json.loads(row['params']), ensure_ascii=False)}"
            )
            for row in alarms
        )
        return [*found, ("Alarms", told)]
    except (sqlite3.Error, ValueError) as error:
        return [("Database", str(error))]
    finally:
        db.close()


def _settings(text: str) -> str:
    hidden = _LISTED.sub(r"\1[<numbers>]", text)
    return without_numbers(_NAMED.sub(r"\1 <left out>", hidden))


def _lines(values: dict[str, Any]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in values.items())
