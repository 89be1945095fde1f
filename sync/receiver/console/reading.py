"""What the console shows, read from the receiver's database without ever writing to it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from sync.receiver.kept import Kept
from sync.receiver.sql_transaction import FILE, file_row, progress
from sync.receiver.storage import FileRow

PAGE = 50
PAGE_AT_MOST = 500
_CLOCK_STEP_MS = 1500
_CURSOR = re.compile(r"(-?[0-9]{1,18})\.([a-z0-9-]{1,40})\.([\x21-\x7e]{1,200})")

# A box may have started with a wrong clock and been told better later: its moments move together.
_SHIFT = f"""
    CASE WHEN boot.offset_ms IS NULL OR call.started_boot_ns IS NULL
        OR abs(boot.first_utc_ms + boot.offset_ms + (call.started_boot_ns - boot.first_boot_ns) / 1000000
            - call.started_ms) < {_CLOCK_STEP_MS}
    THEN 0
    ELSE boot.first_utc_ms + boot.offset_ms + (call.started_boot_ns - boot.first_boot_ns) / 1000000 - call.started_ms
    END
"""
_CALLS = f"""
    SELECT * FROM (
        SELECT call.dev, call.call AS id, line, direction, status, number, name, presentation, outcome,
            coalesce(started_ms + ({_SHIFT}), 0) AS started_utc_ms,
            answered_ms + ({_SHIFT}) AS answered_utc_ms, ended_ms + ({_SHIFT}) AS ended_utc_ms
        FROM call LEFT JOIN boot
            ON boot.dev = call.dev AND boot.epoch = call.epoch AND boot.boot_no = call.boot_no
    ) AS known
"""  # noqa: S608  constants only


class Reader:
    """One request's view."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self._rows = kept.rows.named

    def boxes(self) -> list[dict[str, Any]]:
        """Every box with its state, and whether anything of its sequence lacks."""
        boxes = self._rows(
            "SELECT dev, first_ms, last_ms, status, status_ms, hello, reported, reported_version FROM device "
            "ORDER BY dev"
        )
        for box in boxes:
            for column in ("status", "hello", "reported"):
                box[column] = json.loads(box[column]) if box[column] else None
            box["sequences"] = [
                {
                    "epoch": row["epoch"],
                    "held": row["held"],
                    "max_seq": max(row["max_seq"], row["claimed"]),
                    "gaps": progress(self._kept.rows, box["dev"], row["epoch"]).gaps,
                }
                for row in self._rows(
                    "SELECT epoch, max_seq, claimed, (SELECT count(DISTINCT seq) FROM record WHERE "
                    "record.dev = epoch.dev AND record.epoch = epoch.epoch) AS held FROM epoch WHERE dev = :dev "
                    "ORDER BY epoch",
                    dev=box["dev"],
                )
            ]
            box["missing"] = sum(sequence["max_seq"] - sequence["held"] for sequence in box["sequences"])
            (counts,) = self._rows(
                "SELECT (SELECT count(*) FROM call WHERE dev = :dev) AS calls, "
                "count(*) FILTER (WHERE state = 'stored') AS files, "
                "CAST(coalesce(sum(size) FILTER (WHERE state = 'stored'), 0) AS BIGINT) AS bytes, "
                "count(*) FILTER (WHERE state = 'receiving') AS on_their_way FROM file WHERE dev = :dev",
                dev=box["dev"],
            )
            box.update(counts)
        return boxes

    def calls(
        self, *, dev: str | None = None, text: str = "", before: str | None = None, limit: int = PAGE
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Newest first, and the cursor of the next page. ``text`` is looked for in number, name, line and id."""
        where, values = ["1 = 1"], dict[str, Any]()
        if dev:
            where.append("dev = :dev")
            values["dev"] = dev
        if text:
            where.append(
                "(number LIKE :like ESCAPE '!' OR lower(name) LIKE :like ESCAPE '!' "
                "OR lower(line) LIKE :like ESCAPE '!' OR id = :text)"
            )
            escaped = text.lower().replace("!", "!!").replace("%", "!%").replace("_", "!_")
            values |= {"like": f"%{escaped}%", "text": text}
        cursor = _CURSOR.fullmatch(before or "")
        if cursor:
            where.append("(started_utc_ms, dev, id) < (:at, :at_dev, :at_id)")
            values |= {"at": int(cursor[1]), "at_dev": cursor[2], "at_id": cursor[3]}
        limit = max(1, min(limit, PAGE_AT_MOST))
        found = self._rows(
            f"{_CALLS} WHERE {' AND '.join(where)} ORDER BY started_utc_ms DESC, dev DESC, id DESC LIMIT {limit + 1}",
            **values,
        )
        page = found[:limit]
        for call in page:
            call["recordings"] = self._recordings(call["dev"], call["id"])
        last = page[-1] if len(found) > limit else None
        return page, f"{last['started_utc_ms']}.{last['dev']}.{last['id']}" if last else None

    def alarms(self, *, standing: bool = True) -> list[dict[str, Any]]:
        """With the sentences that the box wrote, in both languages."""
        rows = self._rows(
            f"SELECT dev, body FROM alarm {'WHERE resolved_ms IS NULL' if standing else ''} "  # noqa: S608
            "ORDER BY since_ms DESC LIMIT 500"
        )
        alarms = []
        for row in rows:
            body = json.loads(row["body"])
            text = body.get("text")
            if not isinstance(text, dict):
                body["text"] = {}
            alarms.append({"dev": row["dev"], **body})
        return alarms

    def poison(self) -> list[dict[str, Any]]:
        """What could not be handled."""
        return self._rows(
            "SELECT dev, topic, reason, size, sha256, first_ms, last_ms, count FROM poison "
            "ORDER BY last_ms DESC LIMIT 200"
        )

    def file(self, dev: str, fid: str) -> FileRow | None:
        """The stored file; None when it is not (yet) here."""
        found = self._kept.rows.run(f"{FILE} WHERE dev = :dev AND fid = :fid AND state = 'stored'", dev=dev, fid=fid)
        row = file_row(found[0]) if found else None
        return row if row is not None and self._kept.files.size(row) is not None else None

    def _recordings(self, dev: str, call: str) -> list[dict[str, Any]]:
        rows = self._rows(
            "SELECT recording AS id, part, duration_ms, cut_short, status, error, files FROM recording "
            "WHERE dev = :dev AND call = :call ORDER BY part",
            dev=dev,
            call=call,
        )
        for row in rows:
            row["cut_short"] = bool(row["cut_short"])
            row["files"] = [one | self._file_state(dev, one["fid"]) for one in json.loads(row["files"])]
        return rows

    def _file_state(self, dev: str, fid: str) -> dict[str, Any]:
        rows = self._rows(
            "SELECT state, sha256, size, stored_ms FROM file WHERE dev = :dev AND fid = :fid", dev=dev, fid=fid
        )
        return rows[0] if rows else {"state": "awaited", "sha256": None, "stored_ms": None}


def playable(files: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The stored file that every browser plays: FLAC, else whatever there is."""
    stored = [one for one in files if one["state"] == "stored"]
    return next((one for one in stored if one["codec"] == "flac"), stored[0] if stored else None)
