"""The decoders on one analog line's sound: does what the call machine orders, and tells events with their moments."""

from __future__ import annotations

import bisect
import logging
from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from firmware.effects import Hearing, ListenFor
from firmware.events import CallerId, DigitDialled, LineEvent
from firmware.model import Instant, LineId
from firmware.ports import Block
from firmware.signals.callerid_fsk import FskMessage
from firmware.signals.callerid_search import CallerIdSearch
from firmware.signals.countries import CountryProfile, profile_of
from firmware.signals.dtmf import DtmfDetector

log = logging.getLogger("offhook.signals")

_MEMORY_S = 3.0
"""Sound kept for an order that looks back, and that reaches us late."""
_LOOK_BACK_S = 1.0
"""A ring is certain only after its caller ID may have begun: some exchanges send it first."""
_CALLER_ID_S = 8.0
"""A caller ID comes so long after the order at the latest: 2 s of ringing, 0.5 to 1.5 s of silence, 3 s of message."""


class _Session:
    """The sound since one order, and which sample was heard when."""

    def __init__(self, rate_hz: int, what: Hearing) -> None:
        self.rate_hz = rate_hz
        self.caller_id = CallerIdSearch(rate_hz) if what is Hearing.CALLER_ID else None
        self.digits = DtmfDetector(rate_hz) if what is Hearing.DIGITS else None
        self._starts: list[int] = []
        self._moments: list[Instant] = []
        self._samples = 0

    def count(self, pcm: NDArray[np.int16], at: Instant) -> None:
        self._starts.append(self._samples)
        self._moments.append(at)
        self._samples += len(pcm)
        if len(self._starts) > 4000:  # a minute and more of short blocks; older ones are never asked for
            del self._starts[:2000], self._moments[:2000]

    def moment(self, sample: int) -> Instant:
        i = max(0, bisect.bisect_right(self._starts, sample) - 1)
        return self._moments[i].plus_s((sample - self._starts[i]) / self.rate_hz)


class AnalogListener:
    """`LineListener` of an analog line; all calls on one thread.

    Listens to channel ``channel`` (from 0) of ``channels`` interleaved ones.
    """

    def __init__(
        self,
        line: LineId,
        *,
        country: CountryProfile | None = None,
        rate_hz: int = 8000,
        channels: int = 1,
        channel: int = 0,
    ) -> None:
        self._line = line
        self._country = country or profile_of("")
        self._rate_hz = rate_hz
        self._channels = channels
        self._channel = channel
        self._memory: deque[Block] = deque()
        self._memory_frames = 0
        self._what = Hearing.NOTHING
        self._session: _Session | None = None
        self._replay: list[Block] = []
        self._until: Instant | None = None
        self._heard_until: Instant | None = None
        """The end of the last caller ID: it is not told again when the next order looks back."""

    def order(self, order: ListenFor) -> None:
        """Listen for this from now on, in the sound since a little before ``order.at`` as well."""
        self._what = order.what
        self._session = None
        self._replay = []
        if order.what is Hearing.NOTHING:
            return
        caller_id = order.what is Hearing.CALLER_ID
        since = order.at.plus_s(-_LOOK_BACK_S) if caller_id else order.at
        if caller_id and self._heard_until is not None and self._heard_until.boot_ns > since.boot_ns:
            since = self._heard_until
        self._until = order.at.plus_s(_CALLER_ID_S) if caller_id else None
        self._replay = [b for b in self._memory if self._end(b).boot_ns > since.boot_ns]

    def hear(self, block: Block) -> Sequence[LineEvent]:
        """The events that this sound made certain."""
        self._remember(block)
        if self._what is Hearing.NOTHING:
            return ()
        blocks, self._replay = [*self._replay, block], []
        return [event for b in blocks for event in self._hear(b)]

    def _end(self, block: Block) -> Instant:
        return block.at.plus_s(block.frames / self._rate_hz)

    def _remember(self, block: Block) -> None:
        self._memory.append(block)
        self._memory_frames += block.frames
        while self._memory_frames - self._memory[0].frames >= _MEMORY_S * self._rate_hz:
            self._memory_frames -= self._memory.popleft().frames

    def _hear(self, block: Block) -> list[LineEvent]:
        if self._until is not None and block.at.boot_ns > self._until.boot_ns:
            self._session = None
            return []
        if self._session is None or block.lost_frames:
            self._session = _Session(self._rate_hz, self._what)  # what was cut by a hole is not put together
        session = self._session
        pcm = np.frombuffer(block.pcm, dtype="<i2")[self._channel :: self._channels]
        session.count(pcm, block.at)
        if session.digits is not None:
            return [
                DigitDialled(line=self._line, at=session.moment(d.began), digit=d.digit)
                for d in session.digits.feed(pcm)
            ]
        assert session.caller_id is not None
        message = session.caller_id.feed(pcm)
        return [] if message is None else [self._caller_id(message, session.moment(message.ended))]

    def _caller_id(self, found: FskMessage, at: Instant) -> CallerId:
        self._heard_until = at
        fields = {"line": self._line, "presentation": found.message.presentation, "votes": found.votes}
        log.info("caller ID received", extra={"offhook": fields})
        message = found.message
        return CallerId(
            line=self._line, at=at, number=message.number, name=message.name, presentation=message.presentation
        )
