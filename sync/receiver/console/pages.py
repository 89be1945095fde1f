"""The pages of the console."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, tzinfo
from typing import Any

from flask import Flask, Response, abort, render_template, request

from sync.receiver.console.reading import PAGE, Reader, playable
from sync.receiver.console.sound import sound
from sync.receiver.console.words import say
from sync.receiver.opening import Opener

_LATEST = 10
_YEAR_9999_MS = 253_402_300_799_000


def add(app: Flask, opened: Opener, zone: tzinfo) -> None:
    """The pages, and what their templates need."""

    @app.context_processor
    def _helpers() -> dict[str, Any]:
        return {
            "clock": lambda utc_ms: _clock(utc_ms, zone),
            "zone": datetime.now(zone).tzname() if str(zone) == "UTC" else str(zone),
            "ago": _ago,
            "talked": _talked,
            "size": _size,
            "playable": playable,
        }

    _overview_and_calls(app, opened)
    _boxes_and_the_rest(app, opened)


def _overview_and_calls(app: Flask, opened: Opener) -> None:
    @app.get("/")
    def overview() -> str:
        with reading(opened) as reader:
            calls, _ = reader.calls(limit=_LATEST)
            return render_template("overview.html", summary=reader.summary(), calls=calls, alarms=reader.alarms())

    @app.get("/calls")
    def calls() -> str:
        dev, text = request.args.get("box"), request.args.get("q", "").strip()[:100]
        with reading(opened) as reader:
            found, older = reader.calls(dev=dev, text=text, before=request.args.get("before"), limit=PAGE)
        return render_template("calls.html", calls=found, older=older, dev=dev, text=text)

    @app.get("/calls/<dev>/<call>")
    def call(dev: str, call: str) -> str:
        with reading(opened) as reader:
            found = reader.call(dev, call)
        if found is None:
            abort(404)
        return render_template("call.html", call=found)

    @app.get("/media/<dev>/<fid>")
    def media(dev: str, fid: str) -> Response:
        return sound(opened, dev, fid)


def _boxes_and_the_rest(app: Flask, opened: Opener) -> None:
    @app.get("/boxes")
    def boxes() -> str:
        text = request.args.get("q", "").strip()[:40]
        with reading(opened) as reader:
            found, after = reader.boxes(text=text, after=request.args.get("after", ""))
        return render_template("boxes.html", boxes=found, after=after, text=text)

    @app.get("/boxes/<dev>")
    def box(dev: str) -> str:
        with reading(opened) as reader:
            found, _ = reader.boxes(dev=dev)
            if not found:
                abort(404)
            calls, _ = reader.calls(dev=dev, limit=_LATEST)
            return render_template(
                "box.html",
                box=found[0],
                calls=calls,
                alarms=reader.alarms(dev=dev),
                commands=reader.commands(dev),
                desired=reader.desired(dev),
            )

    @app.get("/alarms")
    def alarms() -> str:
        past = "all" in request.args
        with reading(opened) as reader:
            return render_template("alarms.html", alarms=reader.alarms(standing=not past), all=past)

    @app.get("/aside")
    def aside() -> str:
        with reading(opened) as reader:
            return render_template("aside.html", aside=reader.poison())


@contextmanager
def reading(opened: Opener) -> Iterator[Reader]:
    """For as long as one request takes."""
    with opened() as kept:
        yield Reader(kept)


def _clock(utc_ms: int | None, zone: tzinfo) -> str:
    if not utc_ms or not 0 < utc_ms < _YEAR_9999_MS:
        return "–"
    return f"{datetime.fromtimestamp(utc_ms / 1000, zone):%Y-%m-%d %H:%M:%S}"


def _ago(utc_ms: int | None) -> str:
    if not utc_ms:
        return "–"
    past_s = max(0, int(time.time() - utc_ms / 1000))
    for unit_s, key in ((86_400, "days_ago"), (3_600, "hours_ago"), (60, "minutes_ago")):
        if past_s >= unit_s:
            return say(key).format(past_s // unit_s)
    return say("just_now")


def _talked(call: dict[str, Any]) -> str:
    """Hours, minutes and seconds of the conversation; a dash while it lasts, and when there was none."""
    from_ms, to_ms = call["answered_utc_ms"], call["ended_utc_ms"]
    if from_ms is None and call["outcome"] in ("answered", "unsupervised"):
        from_ms = call["started_utc_ms"]
    if not from_ms or not to_ms or not 0 <= to_ms - from_ms < 10 * 86_400_000:
        return "–"
    minutes, seconds = divmod(round((to_ms - from_ms) / 1000), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _size(size: int) -> str:
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} B"
