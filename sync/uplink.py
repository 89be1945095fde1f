"""One connection to the broker after the other: with which version, which certificate, and who else has our id."""

from __future__ import annotations

import logging
import queue

import attrs

from firmware.config_sync import SyncSettings
from sync import topics, wire
from sync.complaints import Complaints
from sync.identity import BoxIdentity
from sync.mqtt import Connection, CredentialsError, Happening, Loss
from sync.volume import PACKET_BYTES, Volume

log = logging.getLogger("offhook.sync")

AT_ONCE = 256
"""Happenings taken in one turn."""
FALL_BACK_S = 24 * 3600.0
EARLY_CLOSES = 2
TAKEOVERS, TAKEOVER_S, TAKEOVER_REST_S = 5, 60.0, 600.0
SHORT_LIVED_S = 10.0
_ERROR_KEYS = {
    Loss.LINK: "link",
    Loss.REFUSED: "not_allowed",
    Loss.PROTOCOL: "hung_up",
    Loss.TAKEN_OVER: "same_identity",
}


class Uplink:
    def __init__(
        self,
        settings: SyncSettings,
        *,
        dev: str,
        filters: tuple[str, ...],
        identity: BoxIdentity | None,
        volume: Volume,
        complaints: Complaints,
    ) -> None:
        """``filters``: subscriptions beside the box's own."""
        self._settings = settings
        self._dev = dev
        self._filters = filters
        self._identity = identity
        self._volume = volume
        self._complaints = complaints
        self._inbox: queue.SimpleQueue[Happening] = queue.SimpleQueue()
        self._connection: Connection | None = None
        self._number = 0
        self._tokens: dict[int, int] = {}
        """The machine's tokens by the broker's message ids."""
        self._early_closes = 0
        self._v3_until_s = 0.0
        self._taken_over_s: list[float] = []
        self._opened_s = 0.0

    # Life of a connection --------------------------------------------------------------------------------------------

    def connect(self, now_s: float, *, will: bytes) -> bool:
        """Begins another connection; False when the credentials cannot be used."""
        self.close()
        self._number += 1
        try:
            self._connection = Connection(
                self._with_identity(),
                dev=self._dev,
                will=will,
                v5=now_s >= self._v3_until_s,
                number=self._number,
                filters=self._filters,
                inbox=self._inbox,
            )
        except CredentialsError as error:
            self._complaints.trouble("not_allowed", str(error))
            return False
        self._connection.open()
        return True

    def opened(self, now_s: float) -> None:
        self._early_closes = 0
        self._opened_s = now_s

    def lost(self, loss: Loss, why: str, now_s: float, *, was_ready: bool) -> float:
        """What the end of a connection teaches; for how many seconds there had better be no other."""
        self._complaints.failed(why, _ERROR_KEYS[loss])
        if loss is Loss.REFUSED:
            self._complaints.trouble("not_allowed", why)
        elif loss is Loss.PROTOCOL and self._connection is not None and self._connection.v5:
            self._early_closes += 1
            if "unsupported" in why.lower() or self._early_closes >= EARLY_CLOSES:
                log.info("%s may know only MQTT 3.1.1: that is used for a day", self._settings.host)
                self._v3_until_s = now_s + FALL_BACK_S
        elif loss is Loss.TAKEN_OVER:
            if self._again_and_again(now_s):
                return TAKEOVER_REST_S
        elif was_ready and now_s - self._opened_s < SHORT_LIVED_S:
            # Some brokers (mosquitto 2.0.11) close the older connection without a word.
            self._again_and_again(now_s)
        return 0.0

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._tokens.clear()

    def lasts(self, now_s: float) -> bool:
        """Whether this connection has lived so long that nobody else can have our id."""
        return now_s - self._opened_s > TAKEOVER_S

    # What comes and goes ---------------------------------------------------------------------------------------------

    def happenings(self, wait_s: float) -> list[Happening]:
        found = []
        try:
            found.append(self._inbox.get(timeout=wait_s) if wait_s else self._inbox.get_nowait())
            while len(found) < AT_ONCE:
                found.append(self._inbox.get_nowait())
        except queue.Empty:
            pass
        return found

    def is_about_now(self, happening: Happening) -> bool:
        """Not about a connection that is over."""
        return self._connection is not None and happening.connection == self._connection.number

    def token(self, mid: int) -> int | None:
        """What the broker has acknowledged, as the machine calls it."""
        return self._tokens.pop(mid, None)

    def publish(self, topic: topics.Topic, payload: bytes, kind: str | None, token: int | None = None) -> None:
        self.send(topics.build(topic), payload, kind, token)

    def send(self, topic: str, payload: bytes, kind: str | None, token: int | None = None) -> None:
        """Without a connection it is as if it had been lost on the way."""
        if self._connection is None:
            return
        self._volume.sent(len(payload) + len(topic) + PACKET_BYTES)
        mid = self._connection.publish(topic, payload, content_type=kind)
        if token is not None:
            self._tokens[mid] = token

    def say_status(self, payload: bytes) -> None:
        """For all who come later."""
        if self._connection is not None:
            topic = topics.build(topics.Status(self._dev))
            self._connection.publish(topic, payload, content_type=wire.JSON_TYPE, retain=True)

    # What it is like -------------------------------------------------------------------------------------------------

    @property
    def mqtt(self) -> str | None:
        """The version; None without a connection."""
        if self._connection is None:
            return None
        return "5" if self._connection.v5 else "3.1.1"

    @property
    def local_address(self) -> str:
        return self._connection.local_address if self._connection else ""

    def pipe(self) -> int | None:
        """As `Connection.pipe`."""
        return self._connection.pipe() if self._connection else None

    def _with_identity(self) -> SyncSettings:
        """The settings with the box's own certificate, where it has got one by its claim."""
        pair = self._identity.pair() if self._identity else None
        if pair is None:
            return self._settings
        return attrs.evolve(self._settings, cert_file=str(pair.cert), key_file=str(pair.key))

    def _again_and_again(self, now_s: float) -> bool:
        """Whether good connections end so often that somebody else must be taking them."""
        self._taken_over_s = [at for at in self._taken_over_s if now_s - at < TAKEOVER_S] + [now_s]
        if len(self._taken_over_s) < TAKEOVERS:
            return False
        why = f"{TAKEOVERS} connections within a minute were cut short"
        self._complaints.alarm("sync_same_identity", self._dev, why)
        return True
