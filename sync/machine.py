"""The sync machine: every decision of the way to the cloud. No I/O; time is passed in.

The caller runs the effects in order, tells what happened, and offers rows of the outbox where `wants` asks for some.
Nothing here lives longer than a connection but the measured link and the back-off: the outbox is the only queue.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sync import wire
from sync.file_lane import FileLane
from sync.link import Link
from sync.moves import (
    Connect,
    Disconnect,
    Effect,
    Greeted,
    Phase,
    QueuedFile,
    QueuedRecord,
    SendHello,
    Timing,
    Trouble,
)
from sync.pacing import Pacing
from sync.record_lane import RecordLane
from sync.slots import Slots

# PUBACK reason codes (MQTT 5.0, 3.4.2.1).
NOBODY_THERE = 0x10
NOT_AUTHORIZED = 0x87
QUOTA_EXCEEDED = 0x97


@dataclass(frozen=True, slots=True)
class Wants:
    """How many more rows of the outbox the machine can use."""

    records: int = 0
    urgent: int = 0
    """Files of priority `URGENT` or before."""
    files: int = 0
    """Files of later priorities."""


class SyncMachine:
    def __init__(
        self,
        *,
        random: Callable[[], float],
        timing: Timing | None = None,
        pacing: Pacing | None = None,
        trust_broker: bool = False,
        pipe: Callable[[], int | None] = lambda: None,
    ) -> None:
        """``random`` returns 0 to 1: the jitter of the back-off. ``pipe``: how many bytes of what was given to the
        connection have not arrived at its other end yet; None where nobody can tell.

        With ``trust_broker`` nobody is greeted, and the broker's PUBACK counts for records: only where the owner of the
        box has said so, because nobody behind the broker answers.
        """
        self._trust_broker = trust_broker
        self._random = random
        self._timing = timing or Timing()
        self.pacing = pacing or Pacing()
        self.link = Link()
        self._slots = Slots()
        self._records = RecordLane(self._slots, self.link, trust_broker=trust_broker)
        self._files = FileLane(self._slots, self.link, timing=self._timing, pacing=self.pacing, pipe=pipe)
        self.phase = Phase.OFFLINE
        self._failures = 0
        self._next_s = 0.0
        """When the phase has to do something by itself: connect, give up waiting, probe."""
        self._probes = 0
        self._hello_at_s = 0.0
        self._max_payload = wire.MAX_CHUNK_BYTES
        self._max_chunk = wire.MAX_CHUNK_BYTES
        self._minute: int | None = None
        self._greet_again_s = 0.0
        self._heard_s = 0.0
        """When the receiver last said anything."""

    # What happened ---------------------------------------------------------------------------------------------------

    def connected(self, now_s: float, *, max_packet: int | None = None, receive_max: int | None = None) -> list[Effect]:
        """Subscribed, and the broker's limits are known (bytes, unacknowledged publishes)."""
        self._forget_connection()
        self._slots.begin(receive_max)
        self._max_payload = min(max_packet or wire.MAX_MESSAGE_BYTES, wire.MAX_MESSAGE_BYTES) - wire.ENVELOPE_BYTES
        self._probes = 0
        if self._trust_broker:
            return self._ready_without_greeting(now_s)
        return self._greet(now_s, Phase.GREETING, self._timing.hello_s)

    def _ready_without_greeting(self, now_s: float) -> list[Effect]:
        self.phase = Phase.READY
        self._heard_s = now_s
        self._greet_again_s = math.inf
        return []

    def disconnected(self, now_s: float) -> list[Effect]:
        """The connection is gone, or none came about."""
        self._forget_connection()
        longest = min(self._timing.backoff_first_s * 2.0 ** min(self._failures, 30), self._timing.backoff_longest_s)
        self._failures += 1
        self.phase = Phase.OFFLINE
        self._next_s = now_s + longest * (0.5 + 0.5 * self._random())
        return []

    def published(self, now_s: float, token: int, rc: int = 0) -> list[Effect]:
        """The broker's PUBACK: room for another publish, and sometimes a warning. Never an acknowledgement."""
        if not self._slots.free(token):
            return []
        confirmed = self._records.confirmed_by_broker(token, good=rc == 0)
        if rc in (NOBODY_THERE, NOT_AUTHORIZED) and self.phase in (Phase.GREETING, Phase.READY):
            if rc == NOBODY_THERE:
                return self._receiver_is_away(now_s, "the broker has no receiver for this box")
            return [
                *self._receiver_is_away(now_s, "the broker does not let this box publish"),
                Trouble("not_allowed", "the broker refuses this box's topics (reason 0x87)"),
            ]
        if rc == QUOTA_EXCEEDED:
            self._files.closed_until_s = now_s + self._timing.probe_s
        if self._trust_broker and rc == 0:
            self._failures, self._heard_s = 0, now_s
        return [*confirmed, *self._pump(now_s)]

    def acknowledged(self, now_s: float, ack: wire.Ack) -> list[Effect]:
        """The receiver's own word."""
        if self.phase not in (Phase.GREETING, Phase.READY, Phase.AWAY):
            return []
        if isinstance(ack, wire.HelloAck):
            return self._greeted(now_s, ack)
        if self.phase is not Phase.READY:
            return []
        self._failures = 0
        self._heard_s = now_s
        done = self._records.acked(now_s, ack) if isinstance(ack, wire.RecordsAck) else self._files.acked(now_s, ack)
        return [*done, *self._pump(now_s)]

    def offer(
        self, now_s: float, *, records: Iterable[QueuedRecord] = (), files: Iterable[QueuedFile] = ()
    ) -> list[Effect]:
        """Rows of the outbox that are due; those on their way already are left out."""
        if self.phase is not Phase.READY:
            return []
        effects = self._records.add(records, largest=self._max_payload)
        self._files.add(files)
        return [*effects, *self._pump(now_s)]

    def withdraw(self, fid: str) -> None:
        """The file cannot be read (any more): it is no longer on its way."""
        self._files.withdraw(fid)

    def tick(self, now_s: float, *, minute: int | None = None) -> list[Effect]:
        """Time has passed; ``minute`` of the local day, None while the clock cannot be trusted."""
        self._minute = minute
        if self._broker_is_silent(now_s):
            return [Disconnect("the broker has stopped answering")]
        if self.phase is Phase.READY:
            return [*self._greet_now_and_then(now_s), *self._resend(now_s), *self._pump(now_s)]
        return self._phase_is_over(now_s) if now_s >= self._next_s else []

    def _phase_is_over(self, now_s: float) -> list[Effect]:
        if self.phase is Phase.OFFLINE:
            self.phase = Phase.CONNECTING
            self._next_s = now_s + self._timing.connect_s
            return [Connect()]
        if self.phase is Phase.CONNECTING:
            return [Disconnect(f"no connection within {self._timing.connect_s:g} s")]
        if self.phase is Phase.GREETING:
            return self._receiver_is_away(now_s, f"no answer to hello within {self._timing.hello_s:g} s")
        self._probes += 1
        if self._trust_broker:
            return self._ready_without_greeting(now_s)
        return self._greet(now_s, Phase.AWAY, self._probe_wait_s())

    def _greet_now_and_then(self, now_s: float) -> list[Effect]:
        """The cloud may be restored from a backup while the broker, and so the connection, stays up."""
        if now_s < self._greet_again_s:
            return []
        self._greet_again_s = now_s + self._timing.greet_again_s
        return self.ask(now_s)

    def ask(self, now_s: float) -> list[Effect]:
        """Another hello, to see whether the receiver is there."""
        if self.phase is not Phase.READY or self._trust_broker:
            return []
        return [SendHello(self._slots.take(now_s))]

    def hurry(self, now_s: float) -> None:
        """Somebody asked to send everything now: no back-off, no schedule, no pause."""
        self._failures = 0
        self.pacing.hurry = True
        self.pacing.paused_until_s = 0.0
        if self.phase in (Phase.OFFLINE, Phase.AWAY):
            self._next_s = now_s

    # What it would like to know --------------------------------------------------------------------------------------

    def wants(self, now_s: float) -> Wants:
        if self.phase is not Phase.READY:
            return Wants()
        urgent, files = self._files.wanted(now_s, self._minute)
        return Wants(records=self._records.wanted, urgent=urgent, files=files)

    def deadline_s(self, now_s: float) -> float:
        """Call `tick` by then."""
        if self.phase is not Phase.READY:
            return self._next_s
        patience_s = self._patience_s()
        return min(self._records.late_s(patience_s), self._files.deadline_s(now_s, patience_s))

    def audio_closed_because(self, now_s: float) -> str | None:
        """``full`` or a word of `Pacing.closed_because`; None when audio may go."""
        return self._files.closed_because(now_s, self._minute)

    @property
    def in_flight_bytes(self) -> int:
        return self._files.flying_bytes

    @property
    def open_files(self) -> tuple[str, ...]:
        return self._files.open

    @property
    def open_records(self) -> tuple[int, ...]:
        return self._records.open

    @property
    def idle(self) -> bool:
        """Nothing is on its way."""
        return not self._records.open and not self._files.open

    # Connection ------------------------------------------------------------------------------------------------------

    def _forget_connection(self) -> None:
        self._slots.clear()
        self._records.forget_connection()
        self._files.clear()

    def _greet(self, now_s: float, phase: Phase, wait_s: float) -> list[Effect]:
        self.phase = phase
        self._hello_at_s = now_s
        self._next_s = now_s + wait_s
        return [SendHello(self._slots.take(now_s))]

    def _receiver_is_away(self, now_s: float, why: str) -> list[Effect]:
        self._records.clear()
        self._files.clear()
        self.phase = Phase.AWAY
        self._next_s = now_s + self._probe_wait_s()
        return [Trouble("receiver_away", why)]

    def _broker_is_silent(self, now_s: float) -> bool:
        return self._slots.oldest_s(now_s) > max(2 * self._timing.hello_s, self._patience_s())

    def _probe_wait_s(self) -> float:
        return min(self._timing.probe_s * 2.0 ** min(self._probes, 20), self._timing.probe_longest_s)

    def _greeted(self, now_s: float, ack: wire.HelloAck) -> list[Effect]:
        self._failures = 0
        self._probes = 0
        self._records.batch = ack.batch
        self._max_chunk = max(wire.MIN_CHUNK_BYTES, ack.max_chunk)
        if self.phase is Phase.GREETING:
            self.link.round_trip(now_s - self._hello_at_s)
        self._heard_s = now_s
        self._greet_again_s = now_s + self._timing.greet_again_s
        self.phase = Phase.READY
        return [Greeted(ack), *self._pump(now_s)]

    # Time and order --------------------------------------------------------------------------------------------------

    def _patience_s(self) -> float:
        return self.link.resend_after_s(self._timing.resend_s, self.in_flight_bytes)

    def _resend(self, now_s: float) -> list[Effect]:
        patience_s = self._patience_s()
        late = self._records.late_s(patience_s) <= now_s
        stalled = self._files.lost(now_s, patience_s)
        if (late or stalled) and now_s - self._heard_s >= max(self._timing.hello_s, patience_s):
            return self._receiver_is_away(now_s, f"no answer for {now_s - self._heard_s:.0f} s")
        return [*self._records.resend(now_s, patience_s), *self._files.give_up(stalled)]

    def _pump(self, now_s: float) -> list[Effect]:
        """Sends what may go: records before audio, and audio only in pieces, so that a record never waits long."""
        if self.phase is not Phase.READY:
            return []
        records = self._records.send(now_s, largest=self._max_payload)
        return [*records, *self._files.send(now_s, self._minute, largest=min(self._max_chunk, self._max_payload))]
