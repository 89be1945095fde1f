"""What the pages show, as JSON for programs. docs/cloud.md has the forms."""

from __future__ import annotations

from flask import Flask, abort, jsonify, request
from flask.typing import ResponseReturnValue

from sync.receiver.console.pages import reading
from sync.receiver.console.reading import PAGE
from sync.receiver.opening import Opener


def add(app: Flask, opened: Opener) -> None:
    """Read-only, each of them."""

    @app.get("/api/summary")
    def api_summary() -> ResponseReturnValue:
        with reading(opened) as reader:
            return jsonify(reader.summary())

    @app.get("/api/boxes")
    def api_boxes() -> ResponseReturnValue:
        with reading(opened) as reader:
            boxes, after = reader.boxes(
                dev=request.args.get("box"),
                text=request.args.get("q", "")[:40],
                after=request.args.get("after", ""),
                limit=request.args.get("limit", PAGE, type=int),
            )
        return jsonify({"boxes": boxes, "after": after})

    @app.get("/api/calls")
    def api_calls() -> ResponseReturnValue:
        with reading(opened) as reader:
            calls, older = reader.calls(
                dev=request.args.get("box"),
                text=request.args.get("q", "")[:100],
                before=request.args.get("before"),
                limit=request.args.get("limit", PAGE, type=int),
            )
        return jsonify({"calls": calls, "before": older})

    @app.get("/api/calls/<dev>/<call>")
    def api_call(dev: str, call: str) -> ResponseReturnValue:
        with reading(opened) as reader:
            found = reader.call(dev, call)
        if found is None:
            abort(404)
        return jsonify(found)

    @app.get("/api/alarms")
    def api_alarms() -> ResponseReturnValue:
        with reading(opened) as reader:
            return jsonify({"alarms": reader.alarms(dev=request.args.get("box"), standing="all" not in request.args)})

    @app.get("/api/aside")
    def api_aside() -> ResponseReturnValue:
        with reading(opened) as reader:
            return jsonify({"aside": reader.poison()})
