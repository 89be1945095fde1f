"""Somebody asks for the sound of one recording to be deleted."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware.clock import SystemClock
from firmware.errors import RequestError
from firmware.store.erasure import erase_recording
from firmware.store.writer import StoreWriter
from tests.store.world import World, whole_call


def test_the_sound_goes_the_row_stays_and_the_cloud_is_told_once(tmp_path: Path) -> None:
    world = World(tmp_path)
    whole_call(world, size=2000)
    (row,) = world.rows("SELECT id, flac_path, opus_path FROM recording")
    sound = tmp_path / row["flac_path"]
    assert sound.exists()
    store = StoreWriter(tmp_path / "offhook.db", SystemClock())
    store.start()
    try:
        assert erase_recording(store, tmp_path, recording=row["id"], by="anna", reason="asked by the caller")
        assert not sound.exists()
        assert not erase_recording(store, tmp_path, recording=row["id"], by="anna", reason="again")
        with pytest.raises(RequestError, match="no recording"):
            erase_recording(store, tmp_path, recording="other", by="anna", reason="")
    finally:
        store.stop(5)
    assert world.rows("SELECT status, flac_path FROM recording") == [{"status": "deleted", "flac_path": None}]
    told = world.rows("SELECT body FROM outbox_event WHERE type = 'recording.deleted'")
    assert len(told) == 1
    assert world.rows("SELECT by, reason FROM deletion") == [{"by": "anna", "reason": "asked by the caller"}]
    assert world.rows("SELECT 1 AS n FROM outbox_file") == []
