"""Brokers that are strict, old or hostile: who is let in, and what is said about it."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.sync.box.box import BOX, Box, Receiver, eventually
from tests.sync.box.certificates import Authority
from tests.sync.box.old_broker import OldBroker
from tests.sync.faults.mosquitto import Mosquitto


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")


@pytest.fixture
def secure(tmp_path: Path, authority: Authority) -> Iterator[Mosquitto]:
    """Wants a certificate of the authority; the name in it is the only one a box may use."""
    certificate, key = authority.issue("broker")
    acl = tmp_path / "acl"
    acl.write_text(
        "pattern write offhook1/%u/up/#\npattern write offhook1/%u/status\npattern read offhook1/%u/dn/#\n"
        "user receiver\ntopic read offhook1/#\ntopic write offhook1/+/dn/#\n"
    )
    broker = Mosquitto(
        tmp_path / "secure",
        extra=f"cafile {authority.file}\ncertfile {certificate}\nkeyfile {key}\nrequire_certificate true\n"
        f"use_identity_as_username true\nacl_file {acl}\nallow_anonymous false",
    )
    broker.start()
    yield broker
    broker.stop()


def tls(authority: Path, certificate: Path, key: Path) -> str:
    return f'ca_file = "{authority}"\ncert_file = "{certificate}"\nkey_file = "{key}"\n'


def receiver_of(folder: Path, broker: Mosquitto, authority: Authority) -> Receiver:
    receiver = Receiver(folder, broker.port)
    certificate, key = authority.issue("receiver")
    receiver.set(broker_ca_file=authority.file, broker_cert_file=certificate, broker_key_file=key)
    receiver.start()
    return receiver


def error_of(box: Box) -> str:
    return box.status().get("last_error") or ""


def test_a_box_with_a_certificate_is_let_in(box: Box, secure: Mosquitto, authority: Authority, tmp_path: Path) -> None:
    receiver = receiver_of(tmp_path, secure, authority)
    box.calls(1, size=100_000)
    box.configure(secure.port, tls(authority.file, *authority.issue(BOX)), transport="tls")
    box.start()
    eventually(lambda: box.waits() == 0, what="everything stored")
    assert len(receiver.stored()) == 1
    receiver.kill()


def test_the_name_of_another_box_may_not_be_used(
    box: Box, secure: Mosquitto, authority: Authority, tmp_path: Path
) -> None:
    receiver = receiver_of(tmp_path, secure, authority)
    box.calls(1)
    waiting = box.waits()
    box.configure(secure.port, tls(authority.file, *authority.issue("box-2")), transport="tls")
    box.start()
    eventually(lambda: "0x87" in error_of(box) or "does not let" in error_of(box), what="the refusal told")
    assert box.waits() >= waiting
    assert not receiver.stored()
    receiver.kill()


@pytest.mark.parametrize(
    ("case", "said"),
    [("wrong authority", "certificate"), ("expired", ""), ("no file", "cannot use")],
)
def test_what_is_wrong_with_certificates_is_said(
    box: Box, secure: Mosquitto, authority: Authority, tmp_path: Path, case: str, said: str
) -> None:
    box.calls(1)
    trusted = Authority(tmp_path / "other", "other").file if case == "wrong authority" else authority.file
    certificate, key = authority.issue(BOX, days=-1 if case == "expired" else 60, since_days=3)
    if case == "no file":
        key = tmp_path / "nowhere.key"
    box.configure(secure.port, tls(trusted, certificate, key), transport="tls")
    box.start()
    eventually(lambda: bool(error_of(box)) and said in error_of(box), what="the reason told")
    assert box.status()["phase"] != "ready"
    assert box.waits() > 0


def test_user_and_password(box: Box, tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "anna", "secret"], check=True, capture_output=True)
    passwords.chmod(0o644)
    broker = Mosquitto(tmp_path / "b", extra=f"password_file {passwords}\nallow_anonymous false")
    broker.start()
    try:
        password = tmp_path / "password"
        password.write_text("wrong\n")
        box.configure(broker.port, f'user = "anna"\npassword_file = "{password}"\n')
        box.start()
        eventually(lambda: "refuses the connection" in error_of(box), what="the refusal told")
        password.write_text("secret\n")
        eventually(lambda: box.status()["phase"] in ("greeting", "away"), what="let in")
    finally:
        box.kill()
        broker.stop()


def test_a_broker_that_knows_only_mqtt_3_1_1(box: Box, broker: Mosquitto, receiver: Receiver) -> None:
    old = OldBroker(broker.port)
    box.calls(1, size=50_016)
    box.configure(old.port)
    box.start()
    eventually(lambda: box.waits() == 0, what="everything stored")
    eventually(lambda: box.status()["mqtt"] == "3.1.1", what="the version told")
    assert old.levels[:2] == [5, 5]
    assert old.levels[-1] == 4
    old.close()


def test_a_broker_with_a_low_limit(box: Box, tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "b", extra="max_packet_size 20480")
    broker.start()
    receiver = Receiver(tmp_path, broker.port)
    receiver.start()
    try:
        box.calls(1, size=300_000)
        box.configure(broker.port)
        box.start()
        eventually(lambda: box.waits() == 0, what="everything stored")
        assert len(receiver.stored()) == 1
    finally:
        box.kill()
        receiver.kill()
        broker.stop()


def test_hostile_words_from_the_cloud_harm_nothing(box: Box, broker: Mosquitto, receiver: Receiver) -> None:
    box.calls(1)
    box.configure(broker.port)
    box.start()
    eventually(lambda: box.waits() == 0, what="everything stored")
    pid = box.pid
    enemy = paho.Client(CallbackAPIVersion.VERSION2)
    enemy.connect("127.0.0.1", broker.port)
    enemy.loop_start()
    dn = f"offhook1/{BOX}/dn"
    for topic, payload in [
        (f"{dn}/ack", b"\xff\xfe"),
        (f"{dn}/ack", b"[" * 50_000),
        (f"{dn}/ack", b'{"t":"ev","epoch":"x","seq":[1,2,3]}'),
        (f"{dn}/ack", b'{"t":"hello","srv_ms":1,"store":"other","ev_upto":999999999}'),
        (f"{dn}/cmd", b'{"id":"1","op":"shell","args":{"cmd":"rm"},"not_after_ms":99999999999999}'),
        (f"{dn}/cmd", b'{"id":"2","op":"file.request","args":{"fid":"../../etc/passwd"},"not_after_ms":9999999999999}'),
        (f"{dn}/cmd", b'{"id":"3","op":"sync.pause","args":{"for_s":"x"},"not_after_ms":9999999999999}'),
        (f"{dn}/cfg", b'{"ver":5,"document":"[box]\\nname = 1\\n"}'),
        (f"{dn}/nothing", b"x"),
    ]:
        enemy.publish(topic, payload, qos=1).wait_for_publish(5)
    eventually(lambda: len(box.rows("SELECT id FROM sync_command")) == 3, what="the commands answered")
    box.calls(1)
    eventually(lambda: box.waits() == 0, what="the next call stored")
    assert box.pid == pid
    states = {row["id"]: row["state"] for row in box.rows("SELECT id, state FROM sync_command")}
    assert states == {"1": "unsupported", "2": "failed", "3": "failed"}
    enemy.loop_stop()


@pytest.mark.soak
def test_two_boxes_with_one_identity_are_noticed(box: Box, broker: Mosquitto, receiver: Receiver) -> None:
    box.configure(broker.port)
    box.start()
    eventually(lambda: box.status()["phase"] == "ready", what="ready")
    stop = threading.Event()

    def twin() -> None:
        while not stop.wait(0.2):
            other = paho.Client(
                CallbackAPIVersion.VERSION2, client_id=BOX, protocol=paho.MQTTv5, reconnect_on_failure=False
            )
            other.connect("127.0.0.1", broker.port)
            other.loop_start()
            stop.wait(0.3)
            other.loop_stop()

    fighter = threading.Thread(target=twin)
    fighter.start()
    try:
        eventually(lambda: "sync_same_identity" in box.log.read_text(), 40, what="the alarm")
    finally:
        stop.set()
        fighter.join(10)


def test_a_cloud_from_yesterdays_backup_gets_everything_again(box: Box, broker: Mosquitto, receiver: Receiver) -> None:
    box.calls(2, size=50_016)
    box.configure(broker.port)
    box.start()
    eventually(lambda: box.waits() == 0, what="everything stored")
    before = receiver.stored()
    receiver.kill()
    receiver.forget()
    receiver.start()
    eventually(lambda: receiver.data.exists() and receiver.stored() == before, 30, what="everything stored again")
    eventually(lambda: box.waits() == 0, what="the box knows it")
