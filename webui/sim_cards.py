"""What the page shows of SIM cards: as the recorder tells it now, and else as it was stored last."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlite_utils import Database

from firmware.errors import RequestError, StoreError
from firmware.ipc.client import RecorderClient, RecorderUnreachableError
from firmware.store import sims
from firmware.store.database import open_reader
from webui.services import services

log = logging.getLogger("offhook.web.sims")

Json = dict[str, Any]
DAY_MS: Final = 86_400_000
WEAKEST_DBM, STRONGEST_DBM = -113, -51
"""The ends of 3GPP TS 27.007's scale of +CSQ."""
_BARS_DBM: Final = (-107, -97, -87, -77)
"""One bar more from each of these on, as telephones count them."""
MESSAGES: Final = 50
CHART_WIDTH, CHART_HEIGHT = 600, 160


@dataclass(frozen=True, slots=True)
class Card:
    """One SIM line. ``status`` is SIM of docs/interfaces.md; empty while nothing is known."""

    line: str
    label: str
    status: Json = field(default_factory=dict)

    @property
    def bars(self) -> int:
        """0 to 4."""
        dbm = self.status.get("signal_dbm")
        return 0 if dbm is None else sum(dbm >= limit for limit in _BARS_DBM)

    @property
    def used_percent(self) -> int | None:
        minutes = self.status.get("minutes")
        if not minutes or not minutes.get("included_s"):
            return None
        return min(100, round(100 * int(minutes["used_s"]) / int(minutes["included_s"])))


@dataclass(frozen=True, slots=True)
class Cards:
    cards: tuple[Card, ...]
    live: bool
    """The recorder told it just now."""

    def of(self, line: str) -> Card | None:
        return next((card for card in self.cards if card.line == line), None)


@dataclass(frozen=True, slots=True)
class Signal:
    """A card's signal over some time, drawn."""

    line: str
    """Points of an SVG polyline in a box of CHART_WIDTH x CHART_HEIGHT; empty with less than two samples."""
    weakest_dbm: int | None
    strongest_dbm: int | None
    changes: tuple[Json, ...]
    """Where the registration, the operator or the radio changed, newest first."""


def cards() -> Cards:
    """Every SIM line of the box, in the order of the lines."""
    labels = {row["id"]: row["label"] or row["id"] for row in _rows("SELECT id, label, kind FROM line") if _is_sim(row)}
    try:
        with RecorderClient(services().run_dir / "recorder.sock") as recorder:
            told: Sequence[Json] = recorder.request("sim.status")["sims"]
            live = True
    except (RecorderUnreachableError, RequestError) as error:
        log.info("the recorder does not tell of its SIM cards: %s", error)
        told, live = _stored(), False
    known = {status["line"]: status for status in told}
    lines = sorted({*known, *labels})
    return Cards(tuple(Card(line, labels.get(line, line), known.get(line, {})) for line in lines), live)


def messages(line: str) -> list[Json]:
    """Newest first."""
    return _read(lambda db: sims.messages(db, line=line, limit=MESSAGES))


def balances(line: str) -> list[Json]:
    return _read(lambda db: sims.balances(db, line=line, limit=5))


def signal(line: str, days: int) -> Signal:
    now_ms = time.time_ns() // 1_000_000
    since_ms = now_ms - days * DAY_MS
    points = _read(lambda db: sims.signal_history(db, line=line, since_utc_ms=since_ms))
    heard = [(point["at_utc_ms"], point["dbm"]) for point in points if point["dbm"] is not None]
    drawn = [f"{(at_ms - since_ms) / (now_ms - since_ms) * CHART_WIDTH:.1f},{_height(dbm):.1f}" for at_ms, dbm in heard]
    changes: list[Json] = []
    for point in points:
        seen = {name: point[name] for name in ("circuit", "packet", "operator", "radio", "voice")}
        if not changes or any(changes[-1][name] != value for name, value in seen.items()):
            changes.append({"at_utc_ms": point["at_utc_ms"], **seen})
    strengths = [dbm for _, dbm in heard]
    return Signal(
        line=" ".join(drawn) if len(drawn) > 1 else "",
        weakest_dbm=min(strengths, default=None),
        strongest_dbm=max(strengths, default=None),
        changes=tuple(reversed(changes[-20:])),
    )


def _height(dbm: int) -> float:
    share = (min(max(dbm, WEAKEST_DBM), STRONGEST_DBM) - WEAKEST_DBM) / (STRONGEST_DBM - WEAKEST_DBM)
    return CHART_HEIGHT * (1 - share)


def _is_sim(row: Json) -> bool:
    return bool(row["kind"] == "sim")


def _stored() -> list[Json]:
    return _read(sims.statuses)


def _rows(query: str) -> list[Json]:
    return _read(lambda db: [dict(row) for row in db.query(query)])


def _read(read: Callable[[Database], list[Json]]) -> list[Json]:
    """What ``read`` finds in the box's database; nothing while there is none."""
    try:
        db = open_reader(services().data_dir / "offhook.db")
    except StoreError as error:
        log.info("no SIM cards to read: %s", error)
        return []
    try:
        return read(db)
    finally:
        db.conn.close()
