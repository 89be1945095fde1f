"""Recordings into a bucket: the box's sync process, its child, a real S3 server, records over a real broker."""

from __future__ import annotations

import hashlib
import json
import re
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from sync.s3.child import _Uploader
from sync.s3.job import Job, Store, Upload
from tests.sync.box.box import BOX, Box, Receiver, eventually
from tests.sync.box.certificates import Authority
from tests.sync.faults.mosquitto import Mosquitto
from tests.sync.s3.server import BUCKET, KEY, SECRET, Rclone

MIB = 1024 * 1024


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[Rclone]:
    server = Rclone(tmp_path)
    server.start()
    yield server
    server.kill()


def test_recordings_lie_in_the_bucket_and_records_say_where(
    box: Box, broker: Mosquitto, receiver: Receiver, s3: Rclone
) -> None:
    box.calls(3, size=150_016)
    box.configure(broker.port, s3.settings('prefix = "offhook/"\n'))
    box.start()
    eventually(lambda: box.waits() == 0, 40, what="everything stored")
    objects = s3.objects()
    assert sorted(objects.values()) == box.masters()
    assert all(re.fullmatch(rf"offhook/{BOX}/\d{{4}}/\d\d/[0-9a-z]{{26}}-[0-9a-f]{{16}}\.flac", key) for key in objects)
    assert receiver.stored() == [], "no recording went over MQTT"
    told = [
        json.loads(row["body"]) for row in box.rows("SELECT body FROM outbox_event WHERE type = 'recording.uploaded'")
    ]
    assert {(body["bucket"], body["key"]) for body in told} == {(BUCKET, key) for key in objects}
    assert all(hashlib.sha256(objects[body["key"]]).hexdigest() == body["sha256"] for body in told)
    eventually(lambda: receiver.rows("SELECT count(*) FROM record WHERE type = 'recording.uploaded'") == [(3,)])
    assert box.stop() == 0


def test_a_large_file_goes_on_at_the_part_where_it_was_cut(box: Box, broker: Mosquitto, s3: Rclone) -> None:
    box.calls(1, size=18 * MIB)
    box.configure(broker.port, "limit_kbps = 40000\n" + s3.settings("part_mb = 5\n"))
    box.start()
    began = "SELECT have FROM outbox_file WHERE have IS NOT NULL"
    eventually(lambda: bool(box.rows(began)), 40, what="a multipart upload")
    eventually(lambda: box.status().get("today_bytes", 0) > 6 * MIB, 40, what="a part")
    box.kill()
    (upload,) = box.rows(began)
    counted = "SELECT total(bytes) AS bytes FROM sync_volume"
    (before,) = box.rows(counted)
    box.configure(broker.port, s3.settings("part_mb = 5\n"))
    box.start()
    eventually(lambda: box.waits_for_files() == 0, 40, what="the file stored")
    assert box.stop() == 0
    assert list(s3.objects().values()) == box.masters()
    assert box.rows("SELECT have FROM outbox_file WHERE path LIKE '%.flac'") == [upload], "the same upload went on"
    (after,) = box.rows(counted)
    assert after["bytes"] - before["bytes"] < 14 * MIB, "the part that was there is not sent again"


def test_a_store_that_is_away_or_refuses_loses_nothing(
    box: Box, broker: Mosquitto, receiver: Receiver, s3: Rclone
) -> None:
    box.calls(1, size=50_016)
    s3.keys.write_text(json.dumps({"access_key_id": KEY, "secret_access_key": "wrong"}))
    box.configure(broker.port, s3.settings())
    box.start()
    eventually(lambda: "sync_not_allowed" in box.log.read_text(), 40, what="the alarm")
    assert box.waits_for_files() == 1
    s3.kill()
    s3.keys.write_text(json.dumps({"access_key_id": KEY, "secret_access_key": SECRET}))
    assert box.offhook("sync", "now").returncode == 0
    eventually(lambda: "onnect" in (box.status().get("last_error") or ""), 40, what="an error that says it is away")
    s3.start()
    assert box.offhook("sync", "now").returncode == 0
    eventually(lambda: box.waits_for_files() == 0, 40, what="the file stored")
    assert list(s3.objects().values()) == box.masters()


def test_a_damaged_file_is_set_aside_and_nothing_of_it_is_sent(box: Box, broker: Mosquitto, s3: Rclone) -> None:
    box.calls(2)
    damaged, sound = sorted((box.data / "recordings").rglob("*.flac"))
    damaged.write_bytes(b"x" * damaged.stat().st_size)
    box.configure(broker.port, s3.settings())
    box.start()
    eventually(lambda: box.waits_for_files() == 0, 40, what="the other stored")
    assert list(s3.objects().values()) == [sound.read_bytes()]
    (row,) = box.rows("SELECT last_err FROM outbox_file WHERE state = 'quarantined' AND path LIKE '%.flac'")
    assert "not as sealed" in row["last_err"]


def test_the_test_reads_back_what_it_sent_and_removes_it(
    box: Box, broker: Mosquitto, receiver: Receiver, s3: Rclone
) -> None:
    box.configure(broker.port, s3.settings())
    box.start()
    eventually(lambda: box.status()["phase"] == "ready", what="ready")
    found = box.offhook("sync", "test", "--json")
    answer = json.loads(found.stdout)
    assert found.returncode == 0, answer
    assert answer["read_back"]
    assert s3.objects() == {}


# AWS IoT's credentials provider -----------------------------------------------------------------------------------


class Provider:
    """`https://.../role-aliases/{alias}/credentials`, to be asked with a certificate and the thing's name."""

    def __init__(self, authority: Authority) -> None:
        asked = self.asked = []  # type: ignore[var-annotated]

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append((self.path, self.headers["x-amzn-iot-thingname"], self.connection.getpeercert()))  # type: ignore[attr-defined]
                good = self.path == "/role-aliases/uploads/credentials"
                body = json.dumps(
                    {
                        "credentials": {
                            "accessKeyId": KEY,
                            "secretAccessKey": SECRET,
                            "sessionToken": "token",
                            "expiration": "2099-01-01T00:00:00Z",
                        }
                    }
                    if good
                    else {"message": "Access denied"}
                ).encode()
                self.send_response(200 if good else 403)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        certificate, key = authority.issue("provider")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        context.load_verify_locations(authority.file)
        context.verify_mode = ssl.CERT_REQUIRED
        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")


@pytest.fixture
def provider(authority: Authority) -> Iterator[Provider]:
    provider = Provider(authority)
    yield provider
    provider.close()


def iot_store(s3: Rclone, provider: Provider, authority: Authority, alias: str) -> Store:
    certificate, key = authority.issue(BOX)
    return Store(
        endpoint=f"http://127.0.0.1:{s3.port}", region="us-east-1", bucket=BUCKET, path_style=True, ca_file="",
        keys_file="", iot_endpoint=f"127.0.0.1:{provider.port}", iot_role_alias=alias, cert_file=str(certificate),
        key_file=str(key), iot_ca_file=str(authority.file), thing=BOX,
    )  # fmt: skip


def test_keys_of_aws_iot_come_by_certificate(
    tmp_path: Path, s3: Rclone, provider: Provider, authority: Authority, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.flac"
    file.write_bytes(b"sound" * 1000)
    upload = Upload(
        fid="f", path=str(file), key="k/a.flac", size=5000, sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        content_type="audio/flac", about={},
    )  # fmt: skip
    _Uploader(Job(store=iot_store(s3, provider, authority, "uploads"), uploads=[upload], part_bytes=8 * MIB)).run()
    ((path, thing, peer),) = provider.asked
    assert (path, thing) == ("/role-aliases/uploads/credentials", BOX)
    assert dict(pair for (pair,) in peer["subject"])["commonName"] == BOX
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["what"] for event in events] == ["sent", "stored"]
    # This server takes no session token; that it is sent is seen where it is refused: the object is there all the same.
    assert s3.objects() == {"k/a.flac": file.read_bytes()}


def test_a_refusal_of_aws_iot_says_why(s3: Rclone, provider: Provider, authority: Authority) -> None:
    from sync.s3.credentials import KeysError  # noqa: PLC0415

    with pytest.raises(KeysError, match="gives no keys for other: HTTP 403"):
        _Uploader(Job(store=iot_store(s3, provider, authority, "other"), uploads=[], part_bytes=8 * MIB))
