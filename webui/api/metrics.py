"""`/metrics` for Prometheus, behind a token with the scope ``metrics``. No names and no numbers."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, current_app, request

from firmware.config_retention import retention_part
from firmware.errors import StoreError
from firmware.store.database import open_reader
from firmware.store.retention_forecast import forecast
from firmware.store.retention_plan import space_of
from firmware.store.transaction import fetch
from webui import settings_document
from webui.api.access import ApiError, check, scope
from webui.i18n import box_zone
from webui.services import services
from webui.users.tokens import Scope

blueprint = Blueprint("metrics", __name__)

PHASES = ("idle", "ringing", "dialing", "talking", "suspended")
_THERMAL = Path("/sys/class/thermal/thermal_zone0/temp")
_UNDER_VOLTAGE = "/sys/class/hwmon"
Sample = tuple[dict[str, str], float]


@blueprint.before_request
def _check() -> None:
    check(current_app.view_functions[request.endpoint or ""])


@blueprint.errorhandler(ApiError)
def _refused(error: ApiError) -> Response:
    return error.response()


@blueprint.get("/metrics")
@scope(Scope.METRICS)
def metrics() -> Response:
    return Response("".join(_all()), mimetype="text/plain; version=0.0.4; charset=utf-8")


def _all() -> Iterable[str]:
    state = services().hub.snapshot()
    lines = state.get("lines", [])
    yield _metric("offhook_up", "gauge", "1 while the page runs.", [({}, 1)])
    yield _metric("offhook_recorder_connected", "gauge", "1 while the recorder answers.", [({}, float(bool(lines)))])
    yield _metric(
        "offhook_line_phase", "gauge", "1 for the phase that the line is in.",
        [({"line": line["id"], "phase": phase}, float(line["phase"] == phase)) for line in lines for phase in PHASES],
    )  # fmt: skip
    for name, about, good in (
        ("present", "1 while the line's device is there.", True),
        ("recording", "1 while the line is being recorded.", True),
        ("sound", "1 while sound comes from the line.", "ok"),
    ):
        samples = [({"line": line["id"]}, float(line[name] == good)) for line in lines]
        yield _metric(f"offhook_line_{name}", "gauge", about, samples)
    space = space_of(services().data_dir)
    yield _metric("offhook_disk_free_bytes", "gauge", "Free on the data partition.", [({}, space.free_bytes)])
    yield _metric("offhook_disk_total_bytes", "gauge", "Size of the data partition.", [({}, space.total_bytes)])
    with contextlib.suppress(StoreError, sqlite3.Error):
        yield from _from_database()
    with contextlib.suppress(OSError, ValueError):
        yield _metric(
            "offhook_temperature_celsius", "gauge", "Of the processor.", [({}, int(_THERMAL.read_text()) / 1000)]
        )
    alarmed = _under_voltage()
    if alarmed is not None:
        yield _metric("offhook_under_voltage", "gauge", "1 while the supply is too weak.", [({}, float(alarmed))])


def _from_database() -> Iterable[str]:
    db = open_reader(services().data_dir / "offhook.db")
    try:
        now_ms = time.time_ns() // 1_000_000
        counts = fetch(db, "SELECT line, coalesce(outcome, 'open') AS outcome, count(*) AS n FROM call GROUP BY 1, 2")
        yield _metric("offhook_calls_total", "counter", "Calls by line and outcome.",
                      [({"line": r["line"], "outcome": r["outcome"]}, r["n"]) for r in counts])  # fmt: skip
        gaps = fetch(
            db,
            "SELECT r.line, g.cause, count(*) AS n, coalesce(sum(g.missing_ms), 0) AS ms FROM gap g "
            "JOIN recording r ON r.id = g.recording_id GROUP BY 1, 2",
        )
        yield _metric("offhook_gaps_total", "counter", "Holes in recordings by cause; overruns are a cause.",
                      [({"line": r["line"], "cause": r["cause"]}, r["n"]) for r in gaps])  # fmt: skip
        yield _metric("offhook_lost_sound_seconds_total", "counter", "Sound missing in recordings.",
                      [({"line": r["line"], "cause": r["cause"]}, r["ms"] / 1000) for r in gaps])  # fmt: skip
        overruns = [({"line": r["line"]}, r["n"]) for r in gaps if r["cause"] == "overrun"]
        yield _metric("offhook_overruns_total", "counter", "Sound that the kernel had to drop.", overruns or [({}, 0)])
        states = fetch(db, "SELECT status, count(*) AS n FROM recording GROUP BY 1")
        yield _metric("offhook_recordings", "gauge", "Recordings by state.",
                      [({"status": r["status"]}, r["n"]) for r in states])  # fmt: skip
        yield from _unsynced(db, now_ms)
        alarms = fetch(db, "SELECT key, severity, count(*) AS n FROM alarm WHERE resolved_utc_ms IS NULL GROUP BY 1, 2")
        yield _metric("offhook_alarms", "gauge", "Standing alarms.",
                      _by_key(alarms) or [({}, 0)])  # fmt: skip
        rules, cloud = retention_part(settings_document.in_force().text)
        ahead = forecast(db, rules, cloud=cloud, space=space_of(services().data_dir), now_utc_ms=now_ms,
                         zone=ZoneInfo(box_zone() or "UTC"))  # fmt: skip
        if ahead.days_until_full is not None:
            yield _metric("offhook_days_until_full", "gauge", "At the rate of the last week.",
                          [({}, ahead.days_until_full)])  # fmt: skip
        if ahead.oldest_utc_ms is not None:
            yield _metric("offhook_oldest_recording_age_seconds", "gauge", "Of the oldest sound that is kept.",
                          [({}, (now_ms - ahead.oldest_utc_ms) / 1000)])  # fmt: skip
    finally:
        db.close()


def _unsynced(db: Any, now_ms: int) -> Iterable[str]:
    (records,) = fetch(db, "SELECT count(*) AS n, min(utc_ms) AS oldest FROM outbox_event WHERE state <> 'stored'")
    (sound,) = fetch(
        db,
        "SELECT count(*) AS n FROM recording r WHERE r.status = 'sealed' AND NOT EXISTS (SELECT 1 FROM outbox_file f "
        "WHERE f.recording_id = r.id AND f.state = 'stored')",
    )
    (calls,) = fetch(
        db,
        "SELECT count(DISTINCT json_extract(body, '$.id')) AS n FROM outbox_event WHERE state <> 'stored' "
        "AND type LIKE 'call.%'",
    )
    yield _metric("offhook_unsynced_calls", "gauge", "Calls with a word that the cloud lacks.", [({}, calls["n"])])
    yield _metric("offhook_unsynced_records", "gauge", "Records the cloud has not confirmed.", [({}, records["n"])])
    yield _metric("offhook_unsynced_recordings", "gauge", "Recordings the cloud does not have.", [({}, sound["n"])])
    if records["oldest"] is not None:
        yield _metric("offhook_oldest_unsynced_age_seconds", "gauge", "Of the oldest record without confirmation.",
                      [({}, max(0.0, (now_ms - records["oldest"]) / 1000))])  # fmt: skip


def _by_key(alarms: list[Any]) -> list[Sample]:
    return [({"key": row["key"], "severity": row["severity"]}, row["n"]) for row in alarms]


def _under_voltage() -> bool | None:
    """The Pi's firmware tells it by a hwmon device called rpi_volt; None where there is none."""
    for device in Path(_UNDER_VOLTAGE).glob("hwmon*"):
        with contextlib.suppress(OSError, ValueError):
            if (device / "name").read_text().strip() == "rpi_volt":
                return int((device / "in0_lcrit_alarm").read_text()) == 1
    return None


def _metric(name: str, kind: str, about: str, samples: Iterable[Sample]) -> str:
    lines = [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
    for labels, value in samples:
        inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        lines.append(f"{name}{{{inside}}} {value:g}" if inside else f"{name} {value:g}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
