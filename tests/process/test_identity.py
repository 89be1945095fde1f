"""The box's identity: made once, never replaced, private."""

from __future__ import annotations

import re
import stat
import threading
from pathlib import Path

import pytest

from firmware.identity import IdentityError, load_or_create, verify


def test_it_is_made_at_the_first_run_and_kept(tmp_path: Path) -> None:
    first = load_or_create(tmp_path / "identity")
    assert re.fullmatch(r"oh-[a-z2-7]{10}", first.device_id)
    again = load_or_create(tmp_path / "identity")
    assert (again.device_id, again.public_key_pem()) == (first.device_id, first.public_key_pem())
    assert load_or_create(tmp_path / "other").device_id != first.device_id


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    load_or_create(tmp_path / "identity")
    files = sorted((tmp_path / "identity").iterdir())
    assert [file.name for file in files] == ["device-id", "ed25519.pem"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "identity").stat().st_mode) & 0o077 == 0


def test_what_it_signs_can_be_verified(tmp_path: Path) -> None:
    identity = load_or_create(tmp_path)
    signature = identity.sign(b"a message")
    assert verify(identity.public_key_pem(), signature, b"a message")
    assert not verify(identity.public_key_pem(), signature, b"another")
    assert "PRIVATE" not in repr(identity)


@pytest.mark.parametrize(
    "damage", [b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", b"\0" * 119]
)
def test_a_damaged_key_is_not_replaced_and_the_message_says_what_to_do(tmp_path: Path, damage: bytes) -> None:
    load_or_create(tmp_path)
    key = tmp_path / "ed25519.pem"
    key.write_bytes(damage)
    with pytest.raises(IdentityError, match=r"ed25519\.pem is damaged.*Restore it from a backup"):
        load_or_create(tmp_path)
    assert key.read_bytes() == damage


def test_a_damaged_id_is_told_too(tmp_path: Path) -> None:
    load_or_create(tmp_path)
    (tmp_path / "device-id").write_bytes(b"oh-\xff\n")
    with pytest.raises(IdentityError, match="is no device id"):
        load_or_create(tmp_path)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(IdentityError, match="writable for the recorder's user"):
        load_or_create(tmp_path / "file" / "identity")


def test_a_start_that_was_killed_half_way_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    folder = tmp_path / "identity"
    folder.mkdir()
    (folder / ".ed25519.pem.1").write_bytes(b"half")
    load_or_create(folder)
    assert load_or_create(folder)


def test_of_processes_that_start_at_once_all_get_the_same(tmp_path: Path) -> None:
    seen: list[str] = []
    threads = [
        threading.Thread(target=lambda: seen.append(load_or_create(tmp_path).public_key_pem())) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(seen) == 8
    assert len(set(seen)) == 1
