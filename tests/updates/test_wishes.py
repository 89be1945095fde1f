"""The file-based way in for updates: whole wishes once, nothing half-written, no path but a plain name."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from firmware.update_wishes import Action, Phase, When, Wish, incoming, receive, status, take, wish


def test_a_wish_is_taken_once_as_it_was_made(tmp_path: Path) -> None:
    made = wish(tmp_path, Wish(Action.INSTALL, "page: anna", "offhook-2.raucb", When.NOW, allow_downgrade=True))
    (taken,) = take(tmp_path)
    assert taken == Wish(Action.INSTALL, "page: anna", "offhook-2.raucb", When.NOW, allow_downgrade=True, id=made)
    assert take(tmp_path) == []


def test_wishes_come_in_the_order_they_were_made(tmp_path: Path) -> None:
    ids = [wish(tmp_path, Wish(Action.CANCEL, str(number))) for number in range(5)]
    assert [one.id for one in take(tmp_path)] == ids


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/x.raucb", "a/b.raucb", "x.img", "", ".raucb", "-x.raucb\n"])
def test_a_bundle_is_a_plain_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="is no name of an update"):
        wish(tmp_path, Wish(Action.INSTALL, "page", name))
    with pytest.raises(ValueError, match="is no name of an update"):
        receive(tmp_path, name, io.BytesIO(b"x"))
    # Somebody who writes the file himself gets no further.
    (tmp_path / "updates").mkdir(exist_ok=True)
    content = {"id": "1", "action": "install", "by": "x", "bundle": name}
    (tmp_path / "updates/wish-1.json").write_text(json.dumps(content))
    assert take(tmp_path) == []
    assert list((tmp_path / "updates").glob("wish-*")) == []


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"id": 1}', '{"id": 1, "action": "format", "by": "x"}'])
def test_what_is_no_wish_is_dropped(tmp_path: Path, text: str) -> None:
    (tmp_path / "updates").mkdir()
    (tmp_path / "updates/wish-1.json").write_text(text)
    assert take(tmp_path) == []


class _Breaks(io.BytesIO):
    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() >= 1 << 20:
            raise ConnectionResetError("the browser went away")
        return super().read(size)


def test_a_bundle_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    content = bytes(range(256)) * 8192
    assert receive(tmp_path, "a.raucb", io.BytesIO(content)) == "a.raucb"
    assert (incoming(tmp_path) / "a.raucb").read_bytes() == content
    with pytest.raises(ConnectionResetError):
        receive(tmp_path, "b.raucb", _Breaks(content))
    with pytest.raises(ValueError, match="larger than 1 MiB"):
        receive(tmp_path, "c.raucb", io.BytesIO(content), at_most_bytes=1 << 20)
    assert [path.name for path in incoming(tmp_path).iterdir()] == ["a.raucb"]


def test_status_of_a_box_without_updates_is_none(tmp_path: Path) -> None:
    assert status(tmp_path) is None
    (tmp_path / "updates").mkdir()
    (tmp_path / "updates/status.json").write_text('{"phase": "dancing"}')
    assert status(tmp_path) is None
    told = {
        "phase": "done", "version": "1", "slot": "B", "candidate": "1", "progress_percent": 100,
        "text": {"en": "", "zh": ""}, "id": "x", "by": "cli", "at_utc_ms": 5,
    }  # fmt: skip
    (tmp_path / "updates/status.json").write_text(json.dumps(told))
    found = status(tmp_path)
    assert found is not None
    assert found.phase is Phase.DONE
