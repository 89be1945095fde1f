"""A recording as the browser wants it: whole or in ranges, from wherever it is kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from flask import Response, abort, request
from werkzeug.exceptions import RequestedRangeNotSatisfiable

from sync.receiver.console.reading import Reader
from sync.receiver.opening import Opener
from sync.receiver.storage import FileRow

_TYPES = {".flac": "audio/flac", ".opus": "audio/ogg"}


def sound(opened: Opener, dev: str, fid: str) -> Response:
    """404 when it is not (yet) here. It never changes, so its hash is its tag."""
    with opened() as kept:
        row = Reader(kept).file(dev, fid)
    if row is None:
        abort(404)
    first, last, status = 0, row.size - 1, 200
    if request.range is not None:
        span = request.range.range_for_length(row.size)
        if span is None:
            raise RequestedRangeNotSatisfiable(row.size)
        first, last, status = span[0], span[1] - 1, 206
    body = () if request.method == "HEAD" else _blocks(opened, row, first, last)
    response = Response(body, status, mimetype=_TYPES.get(Path(row.name).suffix.lower(), "application/octet-stream"))
    response.content_length = last - first + 1
    response.accept_ranges = "bytes"
    response.cache_control.private = True
    response.cache_control.no_cache = True
    response.set_etag(row.sha256)
    if status == 206:
        response.content_range.set(first, last + 1, row.size)
    else:
        response.make_conditional(request)
    return response


def _blocks(opened: Opener, row: FileRow, first: int, last: int) -> Iterator[bytes]:
    with opened() as kept:
        yield from kept.files.read(row, first=first, last=last)
