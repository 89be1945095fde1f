"""Webhooks: signatures by the specification, and a real sync process that delivers to a real HTTP server."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from firmware.clock import SystemClock
from firmware.store import settings
from firmware.store.second_writer import SecondWriter
from firmware.sync_desk import wish
from sync.hooks.attempt import RETRY_S, Outcome, judge, post
from sync.hooks.signing import new_secret, signature
from tests.sync.box.box import Box, eventually

SCHEMA = json.loads(files("sync").joinpath("schemas/webhook.json").read_text(encoding="utf-8"))


def test_the_signature_is_that_of_the_specifications_own_example() -> None:
    """The vector that standard-webhooks/standard-webhooks' libraries are tested with."""
    found = signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        message="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp_s=1614265330,
        body=b'{"test": 2432232314}',
    )
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_secrets_are_as_long_as_the_specification_wants_and_never_the_same() -> None:
    made = {new_secret() for _ in range(10)}
    assert len(made) == 10
    assert all(24 <= len(base64.b64decode(each.removeprefix("whsec_"))) <= 64 for each in made)


@pytest.mark.parametrize(
    ("status", "attempts", "after_s", "state", "wait_s"),
    [
        (200, 1, 0, "delivered", 0),
        (204, 5, 0, "delivered", 0),
        (301, 1, 0, "pending", 5),
        (500, 1, 0, "pending", 5),
        (503, 1, 120, "pending", 120),
        (429, 2, 10, "pending", 300),
        (None, 4, 0, "pending", 7200),
        (500, 9, 0, "pending", 86_400),
        (500, 10, 0, "failed", 0),
        (410, 1, 0, "failed", 0),
        (503, 1, 10**9, "pending", 86_400),
    ],
)
def test_what_follows_from_an_answer(status: int | None, attempts: int, after_s: int, state: str, wait_s: int) -> None:
    verdict = judge(Outcome(status, None, 0, after_s), attempts)
    assert (verdict.state, verdict.wait_s, verdict.gone) == (state, wait_s, status == 410)
    assert len(RETRY_S) == 9


class Shop:
    """Somebody's web server."""

    def __init__(self) -> None:
        self.status = 200
        self.got: list[tuple[dict[str, str], bytes]] = []
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                shop.got.append(({key.lower(): value for key, value in self.headers.items()}, body))
                self.send_response(shop.status)
                if shop.status == 302:
                    self.send_header("location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def types(self) -> list[str]:
        return [json.loads(body)["type"] for _, body in self.got]


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    shop.close()


def configure(box: Box, *hooks: str) -> None:
    writer = SecondWriter(box.data / "offhook.db", SystemClock())
    newest = settings.newest(writer.db)
    base = newest.version if newest else 0
    writer.write(lambda tx: settings.apply(tx, base_version=base, document="\n".join(hooks), by="test"))
    writer.close()


def hook(url: str, *, name: str = "crm", more: str = "") -> str:
    return f'[[webhooks]]\nid = "{name}"\nurl = "{url}"\n{more}\n'


def verified(secret: str, head: dict[str, str], body: bytes) -> bool:
    """By hand, as a receiver would."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{head['webhook-id']}.{head['webhook-timestamp']}.".encode() + body
    wanted = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return wanted in head["webhook-signature"].split(" ")


def known(box: Box, name: str = "crm") -> dict[str, Any]:
    eventually(lambda: bool(box.rows(f"SELECT 1 FROM webhook WHERE id = '{name}'")), what="the webhook's row")
    return box.rows(f"SELECT * FROM webhook WHERE id = '{name}'")[0]


def log_of(box: Box) -> list[dict[str, Any]]:
    return box.rows("SELECT * FROM webhook_delivery ORDER BY made_utc_ms, seq")


def test_what_happens_is_delivered_signed_and_only_once(box: Box, shop: Shop) -> None:
    box.calls(1)
    configure(box, hook(shop.url))
    box.start()
    secret = known(box)["secret"]
    box.calls(2)
    eventually(lambda: len(shop.got) >= 4, what="two calls and their recordings")
    assert sorted(shop.types()) == ["call.ended", "call.ended", "recording.sealed", "recording.sealed"]
    assert all(verified(secret, head, body) for head, body in shop.got)
    for _, body in shop.got:
        Draft202012Validator(SCHEMA).validate(json.loads(body))
    assert len({head["webhook-id"] for head, _ in shop.got}) == 4
    told = {json.loads(body)["data"]["id"] for _, body in shop.got if json.loads(body)["type"] == "call.ended"}
    newest = box.rows("SELECT id FROM call ORDER BY boot_no DESC, started_boot_ns DESC LIMIT 2")
    assert told == {row["id"] for row in newest}, "not of the call before the webhook was defined"
    eventually(lambda: {row["state"] for row in log_of(box)} == {"delivered"}, what="the log")
    box.stop()
    box.start()
    box.calls(1)
    eventually(lambda: len(shop.got) >= 6, what="the next call")
    assert len({head["webhook-id"] for head, _ in shop.got}) == len(shop.got) == 6


def test_a_failure_is_repeated_under_the_same_id_and_a_redirection_is_one(box: Box, shop: Shop) -> None:
    configure(box, hook(shop.url, more='events = ["call.ended"]'))
    box.start()
    known(box)
    shop.status = 302
    box.calls(1)
    eventually(lambda: len(shop.got) >= 1, what="the first attempt")
    shop.status = 200
    eventually(lambda: len(shop.got) >= 2, 30, what="the second attempt, 5 s later")
    assert shop.got[0][0]["webhook-id"] == shop.got[1][0]["webhook-id"]
    eventually(lambda: [row["attempts"] for row in log_of(box)] == [2], what="the log")
    assert log_of(box)[0]["state"] == "delivered"


def test_gone_switches_off_until_the_address_changes(box: Box, shop: Shop) -> None:
    configure(box, hook(shop.url, more='events = ["call.ended"]'))
    box.start()
    known(box)
    shop.status = 410
    box.calls(1)
    eventually(lambda: known(box)["gone"] == 1, what="switched off")
    box.calls(1)
    shop.status = 200
    configure(box, hook(shop.url + "/2", more='events = ["call.ended"]'))
    eventually(lambda: known(box)["gone"] == 0, 30, what="switched on")
    box.calls(1)
    eventually(lambda: len(shop.got) >= 2, what="the call after that")
    eventually(lambda: [row["state"] for row in log_of(box)] == ["failed", "delivered"], what="the log")
    assert "sync_webhook" in box.log.read_text()


def test_a_dead_address_does_not_hold_up_another(box: Box, shop: Shop) -> None:
    configure(box, hook("http://127.0.0.1:9/", name="dead"), hook(shop.url, more="enabled = true"))
    box.start()
    known(box, "dead")
    known(box)
    box.calls(1)
    eventually(lambda: len(shop.got) == 2, what="delivered to the living one")
    dead = [row for row in log_of(box) if row["webhook"] == "dead"]
    assert {row["state"] for row in dead} == {"pending"}
    assert any("refused" in (row["error"] or "") for row in dead)


def test_test_resend_and_rotation_by_wish(box: Box, shop: Shop) -> None:
    configure(box, hook(shop.url, more="enabled = false"))
    box.start()
    old = known(box)["secret"]
    eventually(lambda: box.status()["phase"] == "off", what="a status")
    sent = wish(box.run_dir, "webhook.test", webhook="crm")
    assert sent["ok"], sent
    eventually(lambda: shop.types() == ["webhook.test"], what="the test, though it is switched off")
    eventually(lambda: log_of(box)[0]["state"] == "delivered", what="the log")
    assert wish(box.run_dir, "webhook.rotate", webhook="crm")["ok"]
    new = known(box)["secret"]
    assert new != old
    assert wish(box.run_dir, "webhook.resend", delivery=sent["delivery"])["ok"]
    eventually(lambda: len(shop.got) == 2, what="the same again")
    head, body = shop.got[1]
    assert head["webhook-id"] == sent["delivery"]
    assert verified(old, head, body)
    assert verified(new, head, body)
    refused = wish(box.run_dir, "webhook.test", webhook="nobody")
    assert not refused["ok"]
    assert "nobody" in refused["error"]


def test_an_address_that_is_none_is_an_error_and_no_exception() -> None:
    outcome = post("http://no-such-host.invalid/", {}, b"", agent="x")
    assert outcome.http_status is None
    assert outcome.error
