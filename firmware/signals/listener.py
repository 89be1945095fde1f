"""The decoders on one analog line's sound: does what the call machine orders, and tells events with their moments."""

from __future__ import annotations

import bisect
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from firmware.effects import Hearing, ListenFor
from firmware.events import (
    Alerting,
    Answered,
    CallEnded,
    CallerId,
    CallerIdRejected,
    DigitDialled,
    EndCause,
    LineEvent,
    WaitingCall,
)
from firmware.model import Instant, LineId
from firmware.ports import Block
from firmware.signals.alert_tone import alert_tone_in
from firmware.signals.call_progress import CallProgress, Progress
from firmware.signals.callerid_dtmf import BARE_VARIANT, DtmfCallerId, RejectedDigits
from firmware.signals.callerid_fsk import FskMessage, RejectedMessage
from firmware.signals.callerid_message import CallerIdMessage
from firmware.signals.callerid_search import CallerIdSearch
from firmware.signals.countries import CallerIdStandard, CountryProfile, profile_of
from firmware.signals.dtmf import DtmfDetector

log = logging.getLogger("offhook.signals")

_MEMORY_S = 6.0
"""Sound kept for an order that looks back, and that reaches us late."""
_LOOK_BACK_S = 4.0
"""Some exchanges send the caller ID before the first ring: 20 digits take 3 s."""
_ALERT_S = 1.5
"""The alerting signal comes at most so long before the message: answer 0.1 s, message 0.5 s, 80 bits of mark."""
_DIGIT_S = 0.1
"""Longer than what is left of the last digit of a caller ID, which must not be dialled again."""
_CAUSES = {
    Progress.BUSY: EndCause.BUSY,
    Progress.FAILED: EndCause.FAILED,
    Progress.FAR_END_GONE: EndCause.NORMAL,
    Progress.SILENT: EndCause.NORMAL,
}
_CALLER_ID_S = 8.0
"""A caller ID comes so long after the order at the latest: 2 s of ringing, 0.5 to 1.5 s of silence, 3 s of message."""


class _Session:
    """The sound since one order, what listens to it, and which sample was heard when."""

    def __init__(self, rate_hz: int, what: Hearing, country: CountryProfile, silence_s: float | None) -> None:
        self.rate_hz = rate_hz
        self._silence_s = silence_s if what is Hearing.TONES else None
        caller_id = what is Hearing.CALLER_ID
        ntt = CallerIdStandard.NTT in country.caller_id
        self.caller_id = CallerIdSearch(rate_hz, ntt=ntt) if caller_id else None
        self.dtmf_caller_id = DtmfCallerId(rate_hz) if caller_id else None
        self.digits = DtmfDetector(rate_hz) if what is not Hearing.TONES else None
        self.waiting = CallerIdSearch(rate_hz) if what is Hearing.TONES else None
        self.progress: CallProgress | None = None
        self.progress_from = 0
        self._starts: list[int] = []
        self._moments: list[Instant] = []
        self._samples = 0
        if what in (Hearing.PROGRESS, Hearing.TONES):
            self.follow(country, outgoing=what is Hearing.PROGRESS)

    def follow(self, country: CountryProfile, *, outgoing: bool) -> None:
        """From now on the tones of a call are listened for."""
        self.progress = CallProgress(self.rate_hz, country, outgoing=outgoing, silence_s=self._silence_s)
        self.progress_from = self._samples

    def count(self, pcm: NDArray[np.int16], at: Instant) -> None:
        self._starts.append(self._samples)
        self._moments.append(at)
        self._samples += len(pcm)
        if len(self._starts) > 4000:  # a minute and more of short blocks; older ones are never asked for
            del self._starts[:2000], self._moments[:2000]

    @property
    def samples(self) -> int:
        """Samples heard so far."""
        return self._samples

    def moment(self, sample: int) -> Instant:
        i = max(0, bisect.bisect_right(self._starts, sample) - 1)
        return self._moments[i].plus_s((sample - self._starts[i]) / self.rate_hz)


class AnalogListener:
    """`LineListener` of an analog line; all calls on one thread.

    Listens to channel ``channel`` (from 0) of ``channels`` interleaved ones. ``estimate_answer``: the line does not
    tell when the other side answers, so its sound is asked. ``end_on_busy_tone``: a lasting busy tone ends a call.
    ``end_on_silence_s``: so much silence does, too.
    """

    def __init__(
        self,
        line: LineId,
        *,
        country: CountryProfile | None = None,
        estimate_answer: bool = False,
        end_on_busy_tone: bool = True,
        end_on_silence_s: float | None = None,
        rate_hz: int = 8000,
        channels: int = 1,
        channel: int = 0,
    ) -> None:
        self._line = line
        self._country = country or profile_of("")
        self._estimate_answer = estimate_answer
        self._end_on_busy_tone = end_on_busy_tone
        self._end_on_silence_s = end_on_silence_s
        self._rate_hz = rate_hz
        self._channels = channels
        self._channel = channel
        self._memory: deque[Block] = deque()
        self._memory_frames = 0
        self._what = Hearing.NOTHING
        self._session: _Session | None = None
        self._replay: list[Block] = []
        self._until: Instant | None = None
        self._idle_from: Instant | None = None
        """What was said and dialled in the call before is no caller ID of the next one."""
        self._heard_until: Instant | None = None
        """The end of the last caller ID: it is not told again when the next order looks back."""

    def order(self, order: ListenFor) -> None:
        """Listen for this from now on, in the sound since a little before ``order.at`` as well."""
        before, self._what = self._what, order.what
        if before is Hearing.DIGITS and order.what is Hearing.PROGRESS and self._session is not None:
            # The digit that began the call is in the middle of being heard.
            self._session.follow(self._country, outgoing=True)
            return
        self._session = None
        self._replay = []
        if order.what is not Hearing.CALLER_ID:
            self._idle_from = order.at
        if order.what is Hearing.NOTHING:
            return
        caller_id = order.what is Hearing.CALLER_ID
        since = order.at.plus_s(-_LOOK_BACK_S) if caller_id else order.at
        if caller_id:
            floors = [at for at in (self._heard_until, self._idle_from) if at is not None]
            since = max([since, *floors], key=lambda at: at.boot_ns)
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
            # What was cut by a hole is not put together.
            self._session = _Session(self._rate_hz, self._what, self._country, self._end_on_silence_s)
        session = self._session
        pcm = np.frombuffer(block.pcm, dtype="<i2")[self._channel :: self._channels]
        session.count(pcm, block.at)
        digits = session.digits.feed(pcm) if session.digits is not None else []
        if session.caller_id is not None:
            return self._callers(session, pcm)
        if session.digits is not None:
            session.digits.take_ended()  # how long a key was held means nothing here
        events: list[LineEvent] = [
            DigitDialled(line=self._line, at=session.moment(d.began), digit=d.digit) for d in digits
        ]
        if session.progress is not None:
            events += [
                self._progress(report.what, session.moment(session.progress_from + report.at))
                for report in session.progress.feed(pcm)
                if self._wanted(report.what)
            ]
        if session.waiting is not None and (knocking := session.waiting.feed(pcm)) is not None:
            events += self._knocking(knocking, session)
        return events

    def _knocking(self, message: FskMessage, session: _Session) -> list[LineEvent]:
        """A caller ID in a call is that of a second caller, when the exchange alerted the telephone to it."""
        began = session.moment(message.began)
        since = began.plus_s(-_ALERT_S)
        sound = [
            np.frombuffer(b.pcm, dtype="<i2")[self._channel :: self._channels]
            for b in self._memory
            if self._end(b).boot_ns > since.boot_ns and b.at.boot_ns < began.boot_ns
        ]
        if not sound or not alert_tone_in(np.concatenate(sound), self._rate_hz):
            return []
        log.info("waiting caller heard", extra={"offhook": {"line": self._line, "votes": message.votes}})
        return [WaitingCall(line=self._line, at=began, number=message.message.number, by_sound=True)]

    def _wanted(self, what: Progress) -> bool:
        if what is Progress.ALERTING:
            return True
        if what is Progress.ANSWERED:
            return self._estimate_answer
        return what is Progress.SILENT or self._end_on_busy_tone

    def _progress(self, what: Progress, at: Instant) -> LineEvent:
        log.info("call progress heard", extra={"offhook": {"line": self._line, "progress": what}})
        if what is Progress.ALERTING:
            return Alerting(line=self._line, at=at, by_sound=True)
        if what is Progress.ANSWERED:
            return Answered(line=self._line, at=at, by_sound=True)
        return CallEnded(line=self._line, at=at, cause=_CAUSES[what], by_sound=True)

    def _callers(self, session: _Session, pcm: NDArray[np.int16]) -> list[LineEvent]:
        assert session.caller_id is not None
        assert session.digits is not None
        assert session.dtmf_caller_id is not None
        events: list[LineEvent] = []
        if (message := session.caller_id.feed(pcm)) is not None:
            heard = self._caller_id(message.message, session.moment(message.ended), votes=message.votes)
            events.append(replace(heard, doubtful=message.doubtful))
        events += [self._rejected(one, session.moment(one.ended)) for one in session.caller_id.take_rejected()]
        if (dialled := session.dtmf_caller_id.feed(session.digits.take_ended())) is not None:
            told = self._caller_id(dialled.message, session.moment(dialled.ended), variant=dialled.variant)
            # Bare digits have nothing that could be checked: believed only where exchanges are known to send them.
            bare = dialled.variant == BARE_VARIANT and CallerIdStandard.DTMF not in self._country.caller_id
            events.append(replace(told, doubtful=bare))
        session.dtmf_caller_id.heard_until(session.samples)
        for digits_told in session.dtmf_caller_id.take_rejected():
            events.append(self._no_caller_id(digits_told, session.moment(digits_told.ended)))
        return events

    def _no_caller_id(self, one: RejectedDigits, at: Instant) -> CallerIdRejected:
        log.warning("caller ID rejected", extra={"offhook": {"line": self._line, "reason": one.reason}})
        return CallerIdRejected(line=self._line, at=at, reason=one.reason)

    def _rejected(self, one: RejectedMessage, at: Instant) -> CallerIdRejected:
        fields = {"line": self._line, "reason": one.reason, "bytes": len(one.raw), "standard": one.standard}
        log.warning("caller ID rejected", extra={"offhook": fields})
        reason = f"{one.reason} ({one.format}, {one.standard}, {len(one.raw)} bytes)"
        return CallerIdRejected(line=self._line, at=at, reason=reason)

    def _caller_id(self, message: CallerIdMessage, at: Instant, **how: int) -> CallerId:
        self._heard_until = at.plus_s(_DIGIT_S)
        fields = {"line": self._line, "presentation": message.presentation, **how}
        log.info("caller ID received", extra={"offhook": fields})
        return CallerId(
            line=self._line, at=at, number=message.number, name=message.name, presentation=message.presentation
        )
