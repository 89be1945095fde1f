"""The commands by which people write to calls; each answers when the change is committed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from firmware.ipc.dispatcher import Dispatcher
from firmware.live import Json
from firmware.store import remarks
from firmware.store.writer import StoreWriter


def add_annotation_commands(dispatcher: Dispatcher, store: StoreWriter) -> None:
    """``call.note``, ``call.tag``, ``call.marker``, ``call.marker.remove``, ``call.review``, ``call.protect``."""

    def changing(change: Callable[..., int]) -> Callable[..., Json]:
        return lambda **args: {"changed": store.call(lambda tx: change(tx, **args))}

    def note(call: str, text: str, by: str) -> Json:
        store.call(lambda tx: remarks.set_note(tx, call=call, text=text, by=by))
        return {}

    def marker(recording: str, at_ms: int, text: str, by: str, until_ms: int | None = None) -> Json:
        where: dict[str, Any] = {"recording": recording, "at_ms": at_ms, "until_ms": until_ms}
        return {"marker": store.call(lambda tx: remarks.add_marker(tx, **where, text=text, by=by))}

    def remove(marker: int, by: str) -> Json:
        store.call(lambda tx: remarks.remove_marker(tx, marker=marker, by=by))
        return {}

    dispatcher.add("call.note", note, {"call": str, "text": str, "by": str})
    dispatcher.add("call.tag", changing(remarks.change_tags), {"calls": list, "add": list, "remove": list, "by": str})
    dispatcher.add("call.marker", marker, {"recording": str, "at_ms": int, "text": str, "by": str}, {"until_ms": int})
    dispatcher.add("call.marker.remove", remove, {"marker": int, "by": str})
    dispatcher.add("call.review", changing(remarks.set_reviewed), {"calls": list, "reviewed": bool, "by": str})
    dispatcher.add(
        "call.protect",
        changing(remarks.set_protected),
        {"calls": list, "protected": bool, "reason": str, "by": str},
    )
