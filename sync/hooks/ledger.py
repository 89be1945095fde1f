"""Which event goes to which webhook, and what became of it: the tables `webhook` and `webhook_delivery`."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from firmware.config_webhooks import WebhookSettings
from firmware.errors import OffhookError
from firmware.store.ids import ulid
from firmware.store.transaction import Row, Transaction, fetch
from sync.hooks.attempt import Outcome, Verdict
from sync.hooks.signing import new_secret
from sync.wire import rfc3339

Mark = Callable[[Transaction], None]

AT_ONCE = 500
"""Events looked at in one transaction."""
KEPT = 1000
TEST = "webhook.test"
OLD_SECRET_MS = 24 * 3_600_000


class NoSuchWebhookError(OffhookError):
    """No webhook or delivery of this name."""


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery whose time has come."""

    id: str
    webhook: str
    url: str
    secrets: list[str]
    body: bytes
    attempts: int


def know(hooks: Collection[WebhookSettings]) -> Mark:
    """A row for each: a new one begins with what happens from now on; a new address is given another chance."""

    def mark(tx: Transaction) -> None:
        for hook in hooks:
            tx.execute(
                "INSERT INTO webhook (id, secret, upto_seq, url) "
                "VALUES (?, ?, (SELECT coalesce(max(seq), 0) FROM outbox_event), ?) ON CONFLICT (id) DO NOTHING",
                (hook.id, new_secret(), hook.url),
            )
            tx.execute("UPDATE webhook SET url = ?, gone = 0 WHERE id = ? AND url <> ?", (hook.url, hook.id, hook.url))

    return mark


def gather(hooks: Collection[WebhookSettings]) -> Mark:
    """Makes deliveries of what has happened; how far it looked is written in the same transaction."""

    def mark(tx: Transaction) -> None:
        for hook in hooks:
            (known,) = tx.rows("SELECT upto_seq, gone FROM webhook WHERE id = ?", (hook.id,))
            events = tx.rows(
                "SELECT seq, id, type FROM outbox_event WHERE seq > ? ORDER BY seq LIMIT ?",
                (known["upto_seq"], AT_ONCE),
            )
            for event in events:
                if hook.wants(event["type"]) and not known["gone"]:
                    tx.execute(
                        "INSERT INTO webhook_delivery (id, webhook, seq, type, made_utc_ms) VALUES (?, ?, ?, ?, ?) "
                        "ON CONFLICT (id) DO NOTHING",
                        (f"msg_{event['id']}_{hook.id}", hook.id, event["seq"], event["type"], tx.now.utc_ms),
                    )
            if events:
                tx.execute("UPDATE webhook SET upto_seq = ? WHERE id = ?", (events[-1]["seq"], hook.id))
            _trim(tx, hook.id)

    return mark


def news(db: Database, hooks: Collection[WebhookSettings]) -> bool:
    """Whether there is anything to gather."""
    (row,) = fetch(
        db,
        "SELECT EXISTS (SELECT 1 FROM webhook WHERE id IN (SELECT value FROM json_each(?)) "
        "AND upto_seq < (SELECT coalesce(max(seq), 0) FROM outbox_event)) AS some",
        (json.dumps([hook.id for hook in hooks]),),
    )
    return bool(row["some"])


def due(db: Database, hook: WebhookSettings, now_ms: int) -> Due | None:
    """The next of this webhook; tests also while it is switched off."""
    rows = fetch(
        db,
        """
        SELECT d.*, w.secret, w.old_secret, w.old_until_utc_ms, w.gone, e.body, e.utc_ms
        FROM webhook_delivery d JOIN webhook w ON w.id = d.webhook LEFT JOIN outbox_event e ON e.seq = d.seq
        WHERE d.webhook = ? AND d.state = 'pending' AND d.next_utc_ms <= ? AND (d.seq IS NULL OR (? AND NOT w.gone))
        ORDER BY d.next_utc_ms, d.made_utc_ms, d.seq LIMIT 1
        """,
        (hook.id, now_ms, hook.enabled),
    )
    if not rows:
        return None
    row = rows[0]
    old = [row["old_secret"]] if row["old_secret"] and now_ms < row["old_until_utc_ms"] else []
    return Due(
        id=row["id"],
        webhook=hook.id,
        url=hook.url,
        secrets=[row["secret"], *old],
        body=_body(row),
        attempts=row["attempts"] + 1,
    )


def happened(delivery: Due, outcome: Outcome, verdict: Verdict) -> Mark:
    def mark(tx: Transaction) -> None:
        over = verdict.state != "pending"
        tx.execute(
            "UPDATE webhook_delivery SET state = ?, attempts = ?, next_utc_ms = ?, done_utc_ms = ?, http_status = ?, "
            "took_ms = ?, error = ? WHERE id = ?",
            (
                verdict.state,
                delivery.attempts,
                tx.now.utc_ms + verdict.wait_s * 1000,
                tx.now.utc_ms if over else None,
                outcome.http_status,
                outcome.took_ms,
                outcome.error,
                delivery.id,
            ),
        )
        if verdict.gone:
            tx.execute("UPDATE webhook SET gone = 1 WHERE id = ?", (delivery.webhook,))

    return mark


# What people ask for -------------------------------------------------------------------------------------------------


def wish(db: Database, what: str, args: dict[str, Any], now_ms: int) -> tuple[Mark, dict[str, Any]]:
    """What to write, and what to answer. Raises `NoSuchWebhookError`."""
    if what == "webhook.resend":
        delivery = str(args.get("delivery", ""))
        if not fetch(db, "SELECT 1 FROM webhook_delivery WHERE id = ?", (delivery,)):
            raise NoSuchWebhookError(f"there is no delivery {delivery!r:.100}")
        return _resend(delivery), {"delivery": delivery}
    hook = str(args.get("webhook", ""))
    if not fetch(db, "SELECT 1 FROM webhook WHERE id = ?", (hook,)):
        raise NoSuchWebhookError(f"there is no webhook {hook!r:.60} in the settings in force")
    if what == "webhook.rotate":
        return _rotate(hook), {}
    delivery = f"msg_{ulid(now_ms)}_{hook}"
    return _test(delivery, hook), {"delivery": delivery}


def _resend(delivery: str) -> Mark:
    def mark(tx: Transaction) -> None:
        again = "UPDATE webhook_delivery SET state = 'pending', attempts = 0, next_utc_ms = 0, done_utc_ms = NULL"
        tx.execute(f"{again} WHERE id = ?", (delivery,))

    return mark


def _rotate(hook: str) -> Mark:
    def mark(tx: Transaction) -> None:
        tx.execute(
            "UPDATE webhook SET old_secret = secret, old_until_utc_ms = ?, secret = ? WHERE id = ?",
            (tx.now.utc_ms + OLD_SECRET_MS, new_secret(), hook),
        )

    return mark


def _test(delivery: str, hook: str) -> Mark:
    def mark(tx: Transaction) -> None:
        tx.execute(
            "INSERT INTO webhook_delivery (id, webhook, type, made_utc_ms) VALUES (?, ?, ?, ?)",
            (delivery, hook, TEST, tx.now.utc_ms),
        )

    return mark


def _body(row: Row) -> bytes:
    data = json.loads(row["body"]) if row["body"] else {"webhook": row["webhook"]}
    stamp = rfc3339(row["utc_ms"] if row["utc_ms"] is not None else row["made_utc_ms"])
    document = {"type": row["type"], "timestamp": stamp, "data": data}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _trim(tx: Transaction, hook: str) -> None:
    tx.execute(
        "DELETE FROM webhook_delivery WHERE webhook = ? AND state <> 'pending' AND id NOT IN "
        "(SELECT id FROM webhook_delivery WHERE webhook = ? ORDER BY made_utc_ms DESC, id DESC LIMIT ?)",
        (hook, hook, KEPT),
    )
