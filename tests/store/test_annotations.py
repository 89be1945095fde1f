"""Notes, tags, markers, reviews and protection: committed as a whole, refused as a whole, and their history stays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware.annotation_commands import add_annotation_commands
from firmware.clock import SystemClock
from firmware.ipc.codec import Reply, Request
from firmware.ipc.dispatcher import Dispatcher
from firmware.store.writer import StoreWriter
from tests.store.world import World, whole_call


class Desk:
    def __init__(self, data_dir: Path) -> None:
        self.world = World(data_dir)
        whole_call(self.world, size=2000)
        self.recording = self.world.rows("SELECT id, call_id, duration_ms FROM recording")[0]
        self.call = self.recording["call_id"]
        self.store = StoreWriter(data_dir / "offhook.db", SystemClock())
        self.store.start()
        self.commands = Dispatcher()
        add_annotation_commands(self.commands, self.store)

    def ask(self, cmd: str, **args: object) -> Reply:
        return self.commands(Request(1, cmd, {"by": "anna", **args}))

    def history(self) -> list[tuple[str, str]]:
        rows = self.world.rows("SELECT what, value FROM annotation WHERE by = 'anna' ORDER BY n")
        return [(row["what"], row["value"]) for row in rows]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.store.stop(5)


def test_a_note_is_written_replaced_and_taken_away(desk: Desk) -> None:
    assert desk.ask("call.note", call=desk.call, text="  call back\r\n明天回访 \x00").code is None
    assert desk.world.rows("SELECT text, by FROM call_note") == [{"text": "call back\n明天回访", "by": "anna"}]
    assert desk.ask("call.note", call=desk.call, text="done").code is None
    assert desk.ask("call.note", call=desk.call, text=" ").code is None
    assert desk.world.rows("SELECT * FROM call_note") == []
    assert desk.history() == [("note", "call back\n明天回访"), ("note", "done"), ("note", "")]
    assert desk.ask("call.note", call="other", text="x").code == "invalid"
    assert desk.ask("call.note", call=desk.call, text="x" * 4001).code == "invalid"


def test_tags_of_many_calls_change_together_or_not_at_all(desk: Desk) -> None:
    assert desk.ask("call.tag", calls=[desk.call], add=["回访", " big  deal "], remove=[]).result == {"changed": 1}
    assert desk.ask("call.tag", calls=[desk.call], add=["回访"], remove=[]).result == {"changed": 0}
    assert [row["tag"] for row in desk.world.rows("SELECT tag FROM call_tag ORDER BY tag")] == ["big deal", "回访"]
    assert desk.ask("call.tag", calls=[desk.call, "other"], add=["x"], remove=["回访"]).code == "invalid"
    assert desk.ask("call.tag", calls=[desk.call], add=["回访", ""], remove=["big deal"]).code == "invalid"
    assert desk.ask("call.tag", calls=[desk.call], add=[f"t{n}" for n in range(30)], remove=[]).code == "invalid"
    assert len(desk.world.rows("SELECT tag FROM call_tag")) == 2
    assert desk.ask("call.tag", calls=[desk.call], add=[], remove=["big deal"]).result == {"changed": 1}
    for bad in ([], [7], ["x"] * 1001):
        assert desk.ask("call.tag", calls=bad, add=["x"], remove=[]).code == "invalid"
    assert desk.history() == [("tag", "回访"), ("tag", "big deal"), ("untag", "big deal")]


def test_a_marker_lies_in_its_recording(desk: Desk) -> None:
    at = {"recording": desk.recording["id"], "text": "price"}
    marker = desk.ask("call.marker", **at, at_ms=10).result["marker"]
    assert desk.ask("call.marker", **at, at_ms=10, until_ms=20).code is None
    for wrong in ({"at_ms": -1}, {"at_ms": 10**9}, {"at_ms": 20, "until_ms": 10}):
        assert desk.ask("call.marker", **at, **wrong).code == "invalid"
    assert desk.ask("call.marker", recording="other", text="", at_ms=0).code == "invalid"
    assert desk.ask("call.marker.remove", marker=marker).code is None
    assert desk.ask("call.marker.remove", marker=marker).code == "invalid"
    assert [row["until_ms"] for row in desk.world.rows("SELECT until_ms FROM call_marker")] == [20]


def test_review_and_protection_go_on_and_off_once(desk: Desk) -> None:
    calls = [desk.call]
    for command, key, on, off in (
        ("call.review", "reviewed", {}, {}),
        ("call.protect", "protected", {"reason": "court"}, {"reason": "over"}),
    ):
        assert desk.ask(command, calls=calls, **{key: True}, **on).result == {"changed": 1}
        assert desk.ask(command, calls=calls, **{key: True}, **on).result == {"changed": 0}
        assert desk.ask(command, calls=calls, **{key: False}, **off).result == {"changed": 1}
    assert desk.history() == [("review", ""), ("unreview", ""), ("protect", "court"), ("unprotect", "over")]
