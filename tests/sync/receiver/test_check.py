"""A box asks for a stored file to be read again where it lies."""

from __future__ import annotations

from pathlib import Path

from tests.sync.receiver import box
from tests.sync.receiver.cloud import AnyCloud, Cloud

SOUND = bytes(range(256)) * 300


def check(data: bytes) -> tuple[str, bytes]:
    return f"offhook1/oh-1/up/f/{box.fid_of(data)}/check", b""


def test_a_stored_file_is_read_again_and_one_that_is_not_says_how_far_it_is(either: AnyCloud) -> None:
    assert either.one(check(SOUND))["state"] != "stored"
    either.say(box.init(SOUND), *box.chunks(SOUND, 65536)[:1])
    assert either.one(check(SOUND))["state"] == "receiving"
    either.say(*box.chunks(SOUND, 65536)[1:], box.fin(SOUND))
    answer = either.one(check(SOUND))
    assert (answer["state"], answer["desc"], answer["sha256"]) == ("stored", "checked", box.sha(SOUND))


def test_a_file_that_rots_where_it_lies_is_not_called_sound(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path / "cloud")
    cloud.say(box.init(SOUND), *box.chunks(SOUND, 65536), box.fin(SOUND))
    (path,) = [each for each in (tmp_path / "cloud").rglob("*.flac") if "parts" not in each.parts]
    path.chmod(0o600)
    path.write_bytes(b"x" + SOUND[1:])
    answer = cloud.one(check(SOUND))
    assert answer["state"] == "rejected"
    assert "sha256" in answer["desc"]
    cloud.close()
