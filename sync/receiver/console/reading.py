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

    def summary(self) -> dict[str, Any]:
        """What one look should tell, without going through every record."""
        (boxes,) = self._rows(
            "SELECT count(*) AS boxes, count(*) FILTER (WHERE state = 'ready') AS online, "
            "count(*) FILTER (WHERE state = 'lost') AS lost, max(last_ms) AS last_ms FROM device"
        )
        (incomplete,) = self._rows(
            "SELECT count(DISTINCT dev) AS incomplete FROM epoch WHERE dense_upto < max_seq OR dense_upto < claimed"
        )
        (on_their_way,) = self._rows(
            "SELECT count(*) AS on_their_way, min(first_ms) AS oldest_ms FROM file WHERE state = 'receiving'"
        )
        (stored,) = self._rows(
            "SELECT count(*) AS files, CAST(coalesce(sum(size), 0) AS BIGINT) AS bytes FROM file WHERE state = 'stored'"
        )
        (alarms,) = self._rows("SELECT count(*) AS alarms FROM alarm WHERE resolved_ms IS NULL")
        (aside,) = self._rows("SELECT count(*) AS aside FROM poison")
        return {**boxes, **incomplete, **on_their_way, **stored, **alarms, **aside}

    def boxes(
        self, *, dev: str | None = None, text: str = "", after: str = "", limit: int = PAGE
    ) -> tuple[list[dict[str, Any]], str | None]:
        """In order of their names, each with its state, and whether anything of its sequences lacks; and where the
        next page begins. ``text`` is looked for in the name."""
        limit = max(1, min(limit, PAGE_AT_MOST))
        escaped = text.lower().replace("!", "!!").replace("%", "!%").replace("_", "!_")
        where = "dev = :dev" if dev else "dev > :after"
        found = self._rows(
            "SELECT dev, first_ms, last_ms, state, status, status_ms, hello, reported, reported_version "  # noqa: S608
            f"FROM device WHERE {where} AND dev LIKE :like ESCAPE '!' ORDER BY dev LIMIT {limit + 1}",
            **({"dev": dev} if dev else {"after": after}),
            like=f"%{escaped}%",
        )
        page = found[:limit]
        for box in page:
            self._describe(box)
        return page, page[-1]["dev"] if len(found) > limit else None

    def _describe(self, box: dict[str, Any]) -> None:
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
                "ORDER BY first_ms, epoch",
                dev=box["dev"],
            )
        ]
        box["missing"] = sum(sequence["max_seq"] - sequence["held"] for sequence in box["sequences"])
        (counts,) = self._rows(
            "SELECT (SELECT count(*) FROM call WHERE dev = :dev) AS calls, "
            "(SELECT count(*) FROM alarm WHERE dev = :dev AND resolved_ms IS NULL) AS alarms, "
            "count(*) FILTER (WHERE state = 'stored') AS files, "
            "CAST(coalesce(sum(size) FILTER (WHERE state = 'stored'), 0) AS BIGINT) AS bytes, "
            "count(*) FILTER (WHERE state = 'receiving') AS on_their_way FROM file WHERE dev = :dev",
            dev=box["dev"],
        )
        box.update(counts)

    def commands(self, dev: str) -> list[dict[str, Any]]:
        """What the operator asked of a box, newest first."""
        return self._rows(
            "SELECT id, op, args, made_ms, not_after_ms, state, result, result_ms FROM command WHERE dev = :dev "
            "ORDER BY made_ms DESC, id LIMIT 20",
            dev=dev,
        )

    def desired(self, dev: str) -> dict[str, Any] | None:
        """The settings that the operator wishes for."""
        found = self._rows("SELECT version, document, set_ms FROM desired WHERE dev = :dev", dev=dev)
        return found[0] if found else None

    def call(self, dev: str, call: str) -> dict[str, Any] | None:
        """One call with its recordings."""
        found = self._rows(f"{_CALLS} WHERE dev = :dev AND id = :call", dev=dev, call=call)
        return {**found[0], "recordings": self._recordings(dev, call)} if found else None

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

    def alarms(self, *, dev: str | None = None, standing: bool = True) -> list[dict[str, Any]]:
        """With the sentences that the box wrote, in both languages."""
        where = ["1 = 1", *(["dev = :dev"] if dev else []), *(["resolved_ms IS NULL"] if standing else [])]
        rows = self._rows(
            f"SELECT dev, body FROM alarm WHERE {' AND '.join(where)} ORDER BY since_ms DESC LIMIT 500",  # noqa: S608
            **({"dev": dev} if dev else {}),
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
