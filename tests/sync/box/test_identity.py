"""A certificate of the box's own: by a claim, before its end, and back when the new one does not work."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from cryptography import x509
from paho.mqtt.enums import CallbackAPIVersion

from sync.identity import BoxIdentity, UnfitError
from tests.sync.box.box import BOX, Box, eventually
from tests.sync.box.certificates import Authority
from tests.sync.box.cloud import Cloud
from tests.sync.faults.mosquitto import Mosquitto

NOW = datetime.now(UTC)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")


@pytest.fixture
def secure(tmp_path: Path, authority: Authority) -> Iterator[Mosquitto]:
    """The claim may ask for certificates and nothing else; a box may use its own topics."""
    certificate, key = authority.issue("broker")
    acl = tmp_path / "acl"
    acl.write_text(
        "pattern write offhook1/%u/up/#\npattern write offhook1/%u/status\npattern read offhook1/%u/dn/#\n"
        "user claim-batch-7\npattern write offhook1-prov/%c/csr\npattern read offhook1-prov/%c/cert\n"
        "user receiver\ntopic read offhook1/#\ntopic write offhook1/+/dn/#\n"
        "topic read offhook1-prov/#\ntopic write offhook1-prov/+/cert\n"
    )
    broker = Mosquitto(
        tmp_path / "secure",
        extra=f"cafile {authority.file}\ncertfile {certificate}\nkeyfile {key}\nrequire_certificate true\n"
        f"use_identity_as_username true\nacl_file {acl}\nallow_anonymous false",
    )
    broker.start()
    yield broker
    broker.stop()


def secure_client(authority: Authority, name: str) -> paho.Client:
    certificate, key = authority.issue("receiver")
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name)
    client.tls_set(str(authority.file), str(certificate), str(key))
    return client


class Issuer:
    """Whoever gives out certificates: first a person has to agree."""

    def __init__(self, port: int, authority: Authority, *, pending: int = 1) -> None:
        self.asked: list[dict[str, Any]] = []
        self._pending = pending
        self._authority = authority
        self._lock = threading.Lock()
        self._client = secure_client(authority, "issuer")
        self._client.on_message = self._on_message
        self._client.on_connect = lambda client, *_: client.subscribe("offhook1-prov/+/csr", qos=1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        request = json.loads(message.payload)
        with self._lock:
            self.asked.append(request)
            wait = len(self.asked) <= self._pending
        answer = {"id": request["id"], "state": "pending", "desc": "not accepted yet"}
        if not wait:
            answer = {"id": request["id"], "state": "issued", "cert": self._authority.sign(request["csr"])}
        client.publish(message.topic.replace("/csr", "/cert"), json.dumps(answer), qos=1)


def test_a_claim_becomes_a_certificate_which_is_renewed_when_asked(
    box: Box, secure: Mosquitto, authority: Authority
) -> None:
    claim, key = authority.issue("claim-batch-7")
    issuer = Issuer(secure.port, authority)
    cloud = Cloud(secure.port, client=secure_client(authority, "receiver"))
    box.calls(1)
    box.configure(
        secure.port,
        f'ca_file = "{authority.file}"\nclaim_cert_file = "{claim}"\nclaim_key_file = "{key}"\naudio = "none"\n',
        transport="tls",
    )
    box.start()
    try:
        eventually(lambda: "not accepted yet" in (box.status().get("last_error") or ""), 30, what="that it waits")
        eventually(lambda: box.status()["phase"] == "ready", 40, what="ready")
        assert len({request["id"] for request in issuer.asked}) == 1, "the same request again"
        csr = x509.load_pem_x509_csr(issuer.asked[0]["csr"].encode())
        assert csr.subject.rfc4514_string() == f"CN={BOX}"
        identity = BoxIdentity(box.data, BOX)
        first = identity.name()
        pair = identity.pair()
        assert pair is not None
        assert pair.key.stat().st_mode & 0o077 == 0
        assert pair.key.parent.stat().st_mode & 0o077 == 0
        eventually(lambda: bool(cloud.records), what="records arrive with the box's own certificate")

        cloud.command("n1", "cert.renew")
        eventually(lambda: bool(cloud.requests), what="a request over the box's own topic")
        request = cloud.requests[0]
        cloud.say("cert", {"id": request["id"], "state": "issued", "cert": authority.sign(request["csr"])})
        cloud.done("n1", "done", 30)
        assert identity.name() not in ("", first)
        assert not (box.data / "sync-identity" / first).exists(), "the old one is gone once the new one works"

        # One that the broker does not know: it is tried, refused, and the one before is used again.
        second = identity.name()
        cloud.command("n2", "cert.renew")
        eventually(lambda: len(cloud.requests) >= 2, what="the next request")
        request = cloud.requests[-1]
        stranger = Authority(box.data.parent / "other-ca", "other-ca")
        cloud.say("cert", {"id": request["id"], "state": "issued", "cert": stranger.sign(request["csr"])})
        assert "is used again" in cloud.done("n2", "failed", 40)["error"]
        assert identity.name() == second
        eventually(lambda: box.status()["phase"] == "ready", 30, what="ready with the one before")
    finally:
        cloud.close()
        issuer.close()


def test_a_certificate_is_due_after_two_thirds_of_its_life(tmp_path: Path, authority: Authority) -> None:
    identity = BoxIdentity(tmp_path, BOX)
    name, csr = identity.request()
    assert identity.request()[0] == name
    identity.take(name, authority.sign(csr, days=89), NOW)
    assert not identity.due(NOW)
    assert not identity.due(NOW + timedelta(days=58))
    assert identity.due(NOW + timedelta(days=60))


@pytest.mark.parametrize(
    ("chain", "why"),
    [
        ("no certificate", "no certificate in PEM"),
        ("other key", "another key"),
        ("other name", "common name"),
        ("ended", "it ended"),
        ("other request", "another request"),
    ],
)
def test_a_certificate_that_does_not_fit_changes_nothing(
    tmp_path: Path, authority: Authority, chain: str, why: str
) -> None:
    identity = BoxIdentity(tmp_path / "a", BOX) if (tmp_path / "a").mkdir() is None else None
    assert identity is not None
    name, csr = identity.request()
    (tmp_path / "b").mkdir()
    _, other_key = BoxIdentity(tmp_path / "b", BOX).request()
    (tmp_path / "c").mkdir()
    answers = {
        "no certificate": "x",
        "other key": authority.sign(other_key),
        "other name": authority.sign(csr, name="box-2"),
        "ended": authority.sign(csr, days=-0.5),
        "other request": authority.sign(csr),
    }
    with pytest.raises(UnfitError, match=why):
        identity.take("id-x" if chain == "other request" else name, answers[chain], NOW)
    assert identity.pair() is None
    identity.take(name, authority.sign(csr), NOW)
    assert identity.pair() is not None
