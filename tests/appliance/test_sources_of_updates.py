"""Updates from the cloud and from a stick, as far as they go without a kernel that mounts one."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from appliance import cloud
from appliance.desk import Desk
from appliance.usb import newest
from firmware.update_wishes import Phase, Wish, receive, take

RUNNING = "0.1.0+20261101.120000.gaaaaaaa"
NEWER = "offhook-0.1.0+20261102.120000.gbbbbbbb.raucb"
OLDER = "offhook-0.0.9+20251102.120000.gbbbbbbb.raucb"


@pytest.fixture
def wishes(tmp_path: Path) -> Path:
    (tmp_path / "sync").mkdir()
    return tmp_path / "sync"


def ask(tmp_path: Path, wishes: Path, what: str, content: object) -> dict[str, object]:
    (wishes / what).write_text(json.dumps(content))
    cloud.serve(tmp_path, tmp_path, wishes, running=RUNNING)
    assert list(wishes.iterdir()) == []
    answer: dict[str, object] = json.loads((cloud.answers(tmp_path) / "answer-7.json").read_text())
    return answer


def test_the_cloud_asks_what_there_is(tmp_path: Path, wishes: Path) -> None:
    assert ask(tmp_path, wishes, "update-check", {"id": "7"})["result"] == {"current": RUNNING, "available": None}
    receive(tmp_path, OLDER, io.BytesIO(b"x"))
    receive(tmp_path, NEWER, io.BytesIO(b"x"))
    answer = ask(tmp_path, wishes, "update-check", {"id": "7"})
    assert answer["state"] == "done"
    assert answer["result"] == {"current": RUNNING, "available": "0.1.0+20261102.120000.gbbbbbbb"}


def test_the_cloud_wishes_for_the_newest_and_hears_how_it_goes(tmp_path: Path, wishes: Path) -> None:
    receive(tmp_path, NEWER, io.BytesIO(b"x"))
    asked = {"id": "7", "version": None, "url": None}
    assert ask(tmp_path, wishes, "update-install", asked)["state"] == "running"
    (made,) = take(tmp_path)
    assert (made.bundle, made.by, made.id) == (NEWER, "cloud", "7")
    desk = Desk(tmp_path, version=RUNNING, slot="A")
    for phase, key, state in (
        (Phase.INSTALLING, "installing", "running"),
        (Phase.REFUSED, "in_call", "failed"),
        (Phase.DONE, "done", "done"),
    ):
        desk.tell(phase, key, made)
        told = json.loads((cloud.answers(tmp_path) / "answer-7.json").read_text())
        assert told["state"] == state
        assert (told["error"] is None) == (state != "failed")
    # What somebody else asked for is not the cloud's business.
    desk.tell(Phase.FAILED, "interrupted", Wish(made.action, "usb", made.bundle, id="8"))
    assert not (cloud.answers(tmp_path) / "answer-8.json").exists()


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"version": None, "url": None}, "knows no update"),
        ({"version": "9.9", "url": None}, "has no update of version 9.9"),
        ({"version": "9.9", "url": "http://a/b.raucb"}, "https only"),
        ({"version": "9.9", "url": "file:///etc/passwd"}, "https only"),
        ({"version": "../../x", "url": None}, "has no update"),
    ],
)
def test_what_cannot_be_done_is_answered(tmp_path: Path, wishes: Path, asked: dict[str, object], says: str) -> None:
    answer = ask(tmp_path, wishes, "update-install", {"id": "7", **asked})
    assert answer["state"] == "failed"
    assert says in str(answer["error"])
    assert take(tmp_path) == []


def test_one_update_at_a_time(tmp_path: Path, wishes: Path) -> None:
    receive(tmp_path, NEWER, io.BytesIO(b"x"))
    Desk(tmp_path, version=RUNNING, slot="A").tell(Phase.INSTALLING, "installing")
    answer = ask(tmp_path, wishes, "update-install", {"id": "7", "version": None, "url": None})
    assert "on its way already" in str(answer["error"])


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_a_wish_that_is_none_is_removed(tmp_path: Path, wishes: Path, text: str) -> None:
    (wishes / "update-install").write_text(text)
    assert cloud.serve(tmp_path, tmp_path, wishes, running=RUNNING) == []
    assert list(wishes.iterdir()) == []


def test_of_a_stick_only_what_is_newer_is_taken() -> None:
    assert newest([OLDER, NEWER, "offhook-nonsense.raucb", "photo.jpg"], RUNNING) == NEWER
    assert newest([OLDER], RUNNING) is None
    assert newest([f"offhook-{RUNNING}.raucb"], RUNNING) is None
    assert newest([], RUNNING) is None
