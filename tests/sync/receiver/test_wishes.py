"""What an operator wants of a box: handed out until the box says what became of it, on either storage."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from sync.receiver import wishes
from sync.receiver.__main__ import receiver
from sync.receiver.core import wishes_for
from sync.topics import WireError
from tests.sync.receiver import box
from tests.sync.receiver.cloud import AnyCloud, Cloud


def wish(cloud: AnyCloud, op: str = "sync.now", *, name: str = "w1", not_after_ms: int | None = None) -> None:
    asked = wishes.Wish(id=name, dev="oh-1", op=op, args={"a": 1}, not_after_ms=not_after_ms or cloud.at_ms + 60_000)
    with cloud.opened() as kept:
        wishes.add_command(kept.rows, asked, made_ms=cloud.at_ms)


def commands(answers: list[dict[str, object]]) -> list[object]:
    return [answer["id"] for answer in answers if "op" in answer]


def test_a_command_is_handed_out_at_each_hello_until_it_is_done(either: AnyCloud) -> None:
    wish(either)
    for _ in range(2):
        answers = either.say(box.hello())
        assert commands(answers) == ["w1"]
        assert answers[-1]["args"] == {"a": 1}
    for state in ("accepted", "running"):
        either.say(("offhook1/oh-1/up/res", box.as_json({"id": "w1", "state": state})))
        assert commands(either.say(box.hello())) == ["w1"]
    either.say(("offhook1/oh-1/up/res", box.as_json({"id": "w1", "state": "done", "data": {"x": 1}})))
    assert commands(either.say(box.hello())) == []
    with either.opened() as kept:
        state, text = wishes.told(kept.rows, "w1") or ("", None)
    assert state == "done"
    assert json.loads(text or "")["data"] == {"x": 1}


def test_a_late_answer_does_not_wake_a_command_that_is_over(either: AnyCloud) -> None:
    wish(either)
    either.say(("offhook1/oh-1/up/res", box.as_json({"id": "w1", "state": "failed"})))
    either.say(("offhook1/oh-1/up/res", box.as_json({"id": "w1", "state": "running"})))
    assert either.rows("SELECT state FROM command") == [("failed",)]
    either.say(("offhook1/oh-2/up/res", box.as_json({"id": "w1", "state": "done"})))  # not its box
    assert either.rows("SELECT state FROM command") == [("failed",)]


def test_a_command_whose_time_has_passed_is_not_handed_out(either: AnyCloud) -> None:
    wish(either, not_after_ms=either.at_ms + 1000)
    either.at_ms += 2000
    assert commands(either.say(box.hello())) == []


def test_a_command_reaches_a_connected_box_without_a_hello(either: AnyCloud) -> None:
    either.say(box.hello())
    assert not either.any_storage.has_unsent()
    wish(either)
    assert either.any_storage.has_unsent()
    with either.any_storage.transaction() as tx:
        (dev,) = tx.unsent()
        (reply,) = wishes_for(tx, dev, known=None, at_ms=either.at_ms)
    assert reply.topic == "offhook1/oh-1/dn/cmd"
    assert not either.any_storage.has_unsent()


def test_settings_are_sent_until_the_box_has_that_version(either: AnyCloud) -> None:
    with either.opened() as kept:
        assert wishes.set_desired(kept.rows, "oh-1", "[box]\n", set_ms=either.at_ms) == 1
        assert wishes.set_desired(kept.rows, "oh-1", '[box]\nname = "x"\n', set_ms=either.at_ms) == 2
    ack, desired = either.say(box.hello(cfg_ver=1))
    assert (ack["cfg_ver"], desired) == (2, {"ver": 2, "document": '[box]\nname = "x"\n'})
    assert len(either.say(box.hello(cfg_ver=2))) == 1
    report = {"ver": 2, "applied": False, "error": "box.name: too short"}
    either.say(("offhook1/oh-1/up/rep", box.as_json(report)))
    assert either.rows("SELECT reported_version FROM device") == [(2,)]


@pytest.mark.parametrize("op", ["", "Sync.Now", "rm -rf /", "x" * 50])
def test_a_command_that_cannot_be_sent_is_refused_at_once(cloud: Cloud, op: str) -> None:
    with pytest.raises(WireError):
        wish(cloud, op)
    assert cloud.rows("SELECT count(*) FROM command") == [(0,)]


def test_from_the_command_line(cloud: Cloud) -> None:
    def run(*words: str, given: str = "") -> tuple[int, str]:
        done = CliRunner().invoke(
            receiver, words, input=given, env={"OFFHOOK_RECEIVER_STORAGE_DATA": str(cloud.folder)}
        )
        return done.exit_code, done.output.strip()

    code, name = run("command", "oh-1", "file.request", "--args", '{"call": "c"}')
    assert code == 0
    assert run("told", name) == (0, "waiting")
    assert commands(cloud.say(box.hello())) == [name]
    cloud.say(("offhook1/oh-1/up/res", box.as_json({"id": name, "state": "done"})))
    assert run("told", name)[1].startswith("done")
    assert run("told", "nothing")[0] == 2
    assert run("command", "oh-1", "sync.now", "--args", "[1]")[0] == 2
    assert run("command", "oh-1", "sync.now", "--args", "{")[0] == 2
    assert run("desired", "oh-1", "-", given="[box]\n") == (0, "version 1")
