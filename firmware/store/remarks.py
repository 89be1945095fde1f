"""What people write to calls: notes, tags, markers, reviews, protection. Each change stands in its call's history."""

from __future__ import annotations

from collections.abc import Sequence

from firmware.errors import RequestError
from firmware.store.transaction import Transaction

NOTE_LENGTH = 4000
TAG_LENGTH = 40
TAGS_PER_CALL = 20
MARKER_LENGTH = 200
MARKERS_PER_RECORDING = 200
CALLS_AT_ONCE = 1000


def set_note(tx: Transaction, *, call: str, text: str, by: str) -> None:
    """The note of a call; an empty one takes it away. Raises `RequestError` for an unknown call or a text too long."""
    text = _clean(text, NOTE_LENGTH, "a note")
    _known(tx, [call])
    if text:
        tx.execute(
            "INSERT INTO call_note (call_id, text, by, at_utc_ms) VALUES (?, ?, ?, ?) ON CONFLICT (call_id) "
            "DO UPDATE SET text = excluded.text, by = excluded.by, at_utc_ms = excluded.at_utc_ms",
            (call, text, by, tx.now.utc_ms),
        )
    else:
        tx.execute("DELETE FROM call_note WHERE call_id = ?", (call,))
    _write_down(tx, call, "note", text, by)


def change_tags(tx: Transaction, *, calls: Sequence[str], add: Sequence[str], remove: Sequence[str], by: str) -> int:
    """Adds and takes away tags. Returns how many calls changed. Raises `RequestError`, and then nothing has changed."""
    added = [_tag(each) for each in add]
    removed = [_tag(each) for each in remove]
    _known(tx, calls)
    changed = set()
    for call in calls:
        for tag in removed:
            if tx.execute("DELETE FROM call_tag WHERE call_id = ? AND tag = ?", (call, tag)).rowcount:
                _write_down(tx, call, "untag", tag, by)
                changed.add(call)
        for tag in added:
            if tx.execute("INSERT OR IGNORE INTO call_tag (call_id, tag) VALUES (?, ?)", (call, tag)).rowcount:
                _write_down(tx, call, "tag", tag, by)
                changed.add(call)
        count = tx.rows("SELECT count(*) AS n FROM call_tag WHERE call_id = ?", (call,))[0]["n"]
        if count > TAGS_PER_CALL:
            raise RequestError("invalid", f"a call has at most {TAGS_PER_CALL} tags")
    return len(changed)


def add_marker(tx: Transaction, *, recording: str, at_ms: int, until_ms: int | None, text: str, by: str) -> int:
    """A marker in the sound of a recording. Returns its id. Raises `RequestError` for a place that is not in it."""
    row = tx.row("SELECT call_id, duration_ms FROM recording WHERE id = ?", (recording,))
    if row is None:
        raise RequestError("invalid", f"there is no recording {recording!r:.60}")
    end_ms = row["duration_ms"]
    last_ms = at_ms if until_ms is None else until_ms
    if at_ms < 0 or last_ms < at_ms or (end_ms is not None and last_ms > end_ms + 1000):
        raise RequestError("invalid", f"a marker lies inside its recording (0 to {end_ms} ms) and ends after it begins")
    count = tx.rows("SELECT count(*) AS n FROM call_marker WHERE recording_id = ?", (recording,))[0]["n"]
    if count >= MARKERS_PER_RECORDING:
        raise RequestError("invalid", f"a recording has at most {MARKERS_PER_RECORDING} markers")
    text = _clean(text, MARKER_LENGTH, "a marker's text")
    cursor = tx.execute(
        "INSERT INTO call_marker (recording_id, at_ms, until_ms, text, by, at_utc_ms) VALUES (?, ?, ?, ?, ?, ?)",
        (recording, at_ms, until_ms, text, by, tx.now.utc_ms),
    )
    _write_down(tx, row["call_id"], "marker", text, by)
    return int(cursor.lastrowid or 0)


def remove_marker(tx: Transaction, *, marker: int, by: str) -> None:
    """Raises `RequestError` when there is no such marker (any more)."""
    row = tx.row(
        "SELECT call_id, text FROM call_marker JOIN recording ON recording.id = recording_id WHERE call_marker.id = ?",
        (marker,),
    )
    if row is None:
        raise RequestError("invalid", f"there is no marker {marker}: somebody may have removed it")
    tx.execute("DELETE FROM call_marker WHERE id = ?", (marker,))
    _write_down(tx, row["call_id"], "unmarker", row["text"], by)


def set_reviewed(tx: Transaction, *, calls: Sequence[str], reviewed: bool, by: str) -> int:
    """Marks calls as reviewed, or as to be reviewed again. Returns how many changed. Raises `RequestError`."""
    _known(tx, calls)
    changed = 0
    for call in calls:
        if reviewed:
            sql, values = "INSERT OR IGNORE INTO call_review VALUES (?, ?, ?)", (call, by, tx.now.utc_ms)
            done = tx.execute(sql, values).rowcount
        else:
            done = tx.execute("DELETE FROM call_review WHERE call_id = ?", (call,)).rowcount
        if done:
            changed += 1
            _write_down(tx, call, "review" if reviewed else "unreview", "", by)
    return changed


def set_protected(tx: Transaction, *, calls: Sequence[str], protected: bool, reason: str, by: str) -> int:
    """Keeps the sound of calls from every deletion, or no longer. Returns how many changed. Raises `RequestError`."""
    reason = _clean(reason, MARKER_LENGTH, "a reason")
    _known(tx, calls)
    changed = 0
    for call in calls:
        if protected:
            done = tx.execute(
                "INSERT OR IGNORE INTO call_protection (call_id, reason, by, at_utc_ms) VALUES (?, ?, ?, ?)",
                (call, reason, by, tx.now.utc_ms),
            ).rowcount
        else:
            done = tx.execute("DELETE FROM call_protection WHERE call_id = ?", (call,)).rowcount
        if done:
            changed += 1
            _write_down(tx, call, "protect" if protected else "unprotect", reason, by)
    return changed


def _known(tx: Transaction, calls: Sequence[str]) -> None:
    if not calls or len(calls) > CALLS_AT_ONCE or not all(isinstance(call, str) for call in calls):
        raise RequestError("invalid", f"name 1 to {CALLS_AT_ONCE} calls by their ids")
    for call in calls:
        if tx.row("SELECT 1 AS known FROM call WHERE id = ?", (call,)) is None:
            raise RequestError("invalid", f"there is no call {call!r:.60}")


def _tag(text: object) -> str:
    tag = " ".join(text.split()) if isinstance(text, str) else ""
    if not 1 <= len(tag) <= TAG_LENGTH or not tag.isprintable() or "," in tag:
        raise RequestError("invalid", f"a tag has 1 to {TAG_LENGTH} characters and no comma, unlike {text!r:.60}")
    return tag


def _clean(text: str, at_most: int, what: str) -> str:
    """Line breaks stay; what no screen can show goes."""
    text = "".join(c for c in text.replace("\r\n", "\n") if c == "\n" or c.isprintable()).strip()
    if len(text) > at_most:
        raise RequestError("invalid", f"{what} has at most {at_most} characters, this one has {len(text)}")
    return text


def _write_down(tx: Transaction, call: str, what: str, value: str, by: str) -> None:
    tx.execute(
        "INSERT INTO annotation (call_id, what, value, by, at_utc_ms) VALUES (?, ?, ?, ?, ?)",
        (call, what, value, by, tx.now.utc_ms),
    )
