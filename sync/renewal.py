"""A new certificate before the old one ends, or when the cloud asks for it; the old one stays until that works."""

from __future__ import annotations

import logging
from collections.abc import Callable

from firmware.model import Instant
from sync import wire
from sync.identity import BoxIdentity, UnfitError, utc_now

log = logging.getLogger("offhook.sync")

ASK_AGAIN_S = 60.0
LOOK_S = 3600.0
EARLY_ENDS = 2
BY_HAND = "the certificate of this box is looked after by hand (sync.cert_file)"


class Renewal:
    def __init__(
        self, identity: BoxIdentity | None, *, send: Callable[[wire.CertRequest], None], reconnect: Callable[[], None]
    ) -> None:
        """``send`` publishes a request; ``reconnect`` makes a new connection, with the certificate then in force."""
        self._identity = identity
        self._send = send
        self._reconnect = reconnect
        self._wanted = False
        self._why_not: str | None = None
        self._next_s = self._look_s = 0.0
        self._early_ends = 0

    # As `sync.longer.Renewing` -----------------------------------------------------------------------------------

    def begin(self) -> str | None:
        if self._identity is None:
            return BY_HAND
        self._wanted, self._why_not, self._next_s = True, None, 0.0
        return None

    def name(self) -> str:
        """Of the certificate in force."""
        return self._identity.name() if self._identity else ""

    def became(self, before: str) -> str | None:
        """``before``: the certificate that was in force when the wish was taken."""
        if self._identity is None:
            return BY_HAND
        if self._identity.name() != before and not self._identity.on_trial:
            return "done"
        if self._why_not is None and not self._wanted and not self._identity.on_trial:
            self._wanted = True  # a restart forgot it
        return self._why_not

    # As the agent ------------------------------------------------------------------------------------------------

    def turn(self, now: Instant, *, ready: bool) -> None:
        """Asks when it is time and somebody listens."""
        if self._identity is None:
            return
        now_s = now.boot_ns / 1e9
        if now_s >= self._look_s:
            self._look_s = now_s + LOOK_S
            self._wanted = self._wanted or self._identity.due(utc_now(now.utc_ns))
        if self._wanted and ready and now_s >= self._next_s:
            self._next_s = now_s + ASK_AGAIN_S
            name, csr = self._identity.request()
            self._send(wire.CertRequest(id=name, csr=csr))

    def answered(self, answer: wire.CertAnswer, now: Instant) -> None:
        if self._identity is None or not self._wanted:
            return
        if answer.state == "pending":
            self._next_s = now.boot_ns / 1e9 + max(ASK_AGAIN_S, answer.retry_s)
            return
        self._wanted = False
        if answer.state == "refused" or not answer.cert:
            self._give_up(f"the cloud refuses a new certificate: {answer.desc}")
            return
        try:
            self._identity.take(answer.id, answer.cert, utc_now(now.utc_ns))
        except UnfitError as error:
            self._give_up(f"the new certificate cannot be used: {error}")
            return
        log.info("a new certificate is tried")
        self._reconnect()

    def accepted(self) -> None:
        """The broker took the certificate in force, and the receiver answered behind it."""
        if self._identity is not None:
            self._early_ends = 0
            self._identity.worked()

    def refused(self, *, plainly: bool) -> None:
        """The broker does not accept the certificate in force. TLS 1.3 tells so by hanging up after the handshake,
        which may mean something else: not ``plainly``, and only the second time counts."""
        if self._identity is None or not self._identity.on_trial:
            return
        self._early_ends += 1
        if (plainly or self._early_ends >= EARLY_ENDS) and self._identity.failed():
            self._early_ends = 0
            self._give_up("the broker refuses the new certificate; the one before is used again")

    def _give_up(self, why: str) -> None:
        log.warning("%s", why)
        self._why_not = why
        self._look_s = 0.0
