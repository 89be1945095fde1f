"""Sound over http: ranges, formats, and no file but those that the database names inside the data folder."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import av
import pytest
import soundfile
from flask import Flask
from flask.testing import FlaskClient

from tests.webui.box import Database, eventually
from webui.media import MediaError, MediaFiles


@pytest.fixture
def recording(database: Database) -> str:
    return database.recording(database.call(1), **database.sound("one"))


@pytest.mark.parametrize(("kind", "mimetype"), [("mp4", "audio/mp4"), ("ogg", "audio/ogg"), ("flac", "audio/flac")])
def test_ranges_are_answered_with_exactly_the_bytes_asked_for(
    owner: FlaskClient, recording: str, kind: str, mimetype: str
) -> None:
    whole = owner.get(f"/media/{recording}.{kind}")
    assert whole.status_code == 200
    assert whole.mimetype == mimetype
    assert whole.headers["Accept-Ranges"] == "bytes"
    size = len(whole.data)
    assert whole.content_length == size
    for asked, start, end in [("bytes=0-99", 0, 100), ("bytes=100-", 100, size), ("bytes=-50", size - 50, size)]:
        part = owner.get(f"/media/{recording}.{kind}", headers={"Range": asked})
        assert part.status_code == 206
        assert part.data == whole.data[start:end]
        assert part.headers["Content-Range"] == f"bytes {start}-{end - 1}/{size}"
    assert owner.get(f"/media/{recording}.{kind}", headers={"Range": f"bytes={size + 1}-"}).status_code == 416
    many = ",".join(f"{n}-{n}" for n in range(5000))
    assert owner.get(f"/media/{recording}.{kind}", headers={"Range": f"bytes={many}"}).status_code in (200, 416)


def test_the_mp4_holds_the_same_opus_packets_with_its_index_first(
    owner: FlaskClient, database: Database, recording: str, data_dir: Path
) -> None:
    data = owner.get(f"/media/{recording}.mp4").data
    assert data.index(b"moov") < data.index(b"mdat")
    with av.open(io.BytesIO(data)) as mp4, av.open(str(next(data_dir.rglob("*.opus")))) as ogg:
        assert mp4.streams.audio[0].codec_context.name == "opus"
        packets = [[bytes(packet) for packet in box.demux(audio=0) if packet.dts is not None] for box in (mp4, ogg)]
    assert packets[0] == packets[1]
    assert len(packets[0]) > 900


def test_the_wav_is_the_flac_bit_for_bit(owner: FlaskClient, recording: str, data_dir: Path) -> None:
    answer = owner.get(f"/media/{recording}.wav")
    assert answer.content_length == len(answer.data)
    assert "attachment" in answer.headers["Content-Disposition"]
    wav, rate_hz = soundfile.read(io.BytesIO(answer.data), dtype="int16")
    flac, flac_rate_hz = soundfile.read(next(data_dir.rglob("*.flac")), dtype="int16")
    assert rate_hz == flac_rate_hz
    assert (wav == flac).all()


@pytest.mark.parametrize(
    "path", ["../outside.opus", "/etc/passwd", "recordings/../../outside.opus", "link.opus", "recordings"]
)
def test_no_path_leads_out_of_the_data_folder(
    owner: FlaskClient, database: Database, data_dir: Path, path: str
) -> None:
    (data_dir.parent / "outside.opus").write_bytes(b"secret")
    (data_dir / "recordings").mkdir(exist_ok=True)
    (data_dir / "link.opus").symlink_to(data_dir.parent / "outside.opus")
    recording = database.recording(database.call(1), flac_path=path, opus_path=path)
    for kind in ("mp4", "ogg", "flac", "wav"):
        answer = owner.get(f"/media/{recording}.{kind}")
        assert answer.status_code == 404, kind
        assert b"secret" not in answer.data


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "..%2f..%2fetc%2fpasswd", "x", "%00", "call1-fxo-1.p1/../x", "' OR 1=1 --"]
)
def test_made_up_addresses_find_nothing(owner: FlaskClient, recording: str, name: str) -> None:
    for kind in ("mp4", "ogg", "flac", "wav"):
        assert owner.get(f"/media/{name}.{kind}").status_code in (404, 308), name


def test_nothing_without_login(app: Flask, owner: FlaskClient, recording: str) -> None:
    stranger = app.test_client()
    for kind in ("mp4", "ogg", "flac", "wav"):
        assert stranger.get(f"/media/{recording}.{kind}", headers={"Sec-Fetch-Dest": "audio"}).status_code == 401


@pytest.mark.parametrize("status", ["recording", "closed", "failed", "deleted"])
def test_only_sealed_recordings_are_handed_out(owner: FlaskClient, database: Database, status: str) -> None:
    recording = database.recording(database.call(1), status=status, **database.sound("one"))
    for kind in ("mp4", "ogg", "flac", "wav"):
        assert owner.get(f"/media/{recording}.{kind}").status_code == 404


def test_a_damaged_file_is_refused_and_leaves_nothing_behind(
    owner: FlaskClient, database: Database, data_dir: Path
) -> None:
    paths = database.sound("one")
    (data_dir / paths["opus_path"]).write_bytes(b"OggS and then nothing")
    recording = database.recording(database.call(1), **paths)
    assert owner.get(f"/media/{recording}.mp4").status_code == 404
    assert list((data_dir / "web-cache").iterdir()) == []


def test_many_browsers_at_once_get_one_remux(database: Database, data_dir: Path, tmp_path: Path) -> None:
    media = MediaFiles(data_dir=data_dir, cache_dir=tmp_path / "cache")
    opus = database.sound("one", seconds=5)["opus_path"]
    made: list[bytes] = []
    threads = [threading.Thread(target=lambda: made.append(media.mp4("one", opus).read_bytes())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(made) == 8
    assert len(set(made)) == 1
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_the_cache_forgets_deleted_recordings(database: Database, data_dir: Path, tmp_path: Path) -> None:
    media = MediaFiles(data_dir=data_dir, cache_dir=tmp_path / "cache")
    opus = database.sound("one", seconds=1)["opus_path"]
    kept, gone = media.mp4("c1.p1", opus), media.mp4("c2.p1", opus)
    assert media.keep_only({"c1.p1"}) == 1
    assert kept.exists()
    assert not gone.exists()


def test_a_full_disk_is_an_error_and_no_broken_file(database: Database, data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    media = MediaFiles(data_dir=data_dir, cache_dir=tmp_path / "cache")
    with pytest.raises(MediaError):
        media.mp4("one", database.sound("one", seconds=1)["opus_path"])


def test_the_sweep_takes_copies_of_deleted_recordings_away(
    owner: FlaskClient, app: Flask, database: Database, recording: str, data_dir: Path
) -> None:
    owner.get(f"/media/{recording}.mp4")
    assert len(list((data_dir / "web-cache").iterdir())) == 1
    database.conn.execute("UPDATE recording SET status = 'deleted'")
    sweep = app.extensions["offhook"].sweep
    sweep.start()
    eventually(lambda: not list((data_dir / "web-cache").iterdir()), "the copy is gone")
    sweep.stop()
