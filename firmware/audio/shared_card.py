"""One sound card that carries several lines on its channels: opened once, each line takes its own."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from weakref import WeakValueDictionary

import numpy as np

from firmware.audio.alsa_source import AlsaSource
from firmware.errors import AudioDeviceError
from firmware.model import ChannelRole
from firmware.ports import AudioSource, Block, Clock

_KEPT_BLOCKS = 100
_TURN_S = 1.0

_cards: WeakValueDictionary[tuple[str, int, int], _Card] = WeakValueDictionary()
_cards_lock = threading.Lock()


class _Card:
    """Whichever line reads first reads for all of them: no thread more than there are lines.

    ``source``: makes the card's source, which stamps in the time of the line that opens the card.
    """

    def __init__(self, source: Callable[[Clock | None], AudioSource]) -> None:
        self._make = source
        self._source: AudioSource | None = None
        self._clock: Clock | None = None
        self._turn = threading.Condition()
        self._reading = False
        self._generation = 0
        self._open = False
        self._waiting: dict[CardSource, deque[Block]] = {}
        self._gone = AudioDeviceError("sound card is not open")

    def join(self, line: CardSource, clock: Clock | None) -> int:
        with self._turn:
            if not self._open:
                if self._source is None or clock is not self._clock:
                    # A card may outlive the lines it was made for, and must not go on in their time. Otherwise the
                    # source stays: it remembers that a device lied about its rate.
                    self._source, self._clock = self._make(clock), clock
                self._source.open()
                self._open = True
                self._generation += 1
                self._waiting.clear()
            self._waiting[line] = deque(maxlen=_KEPT_BLOCKS)
            return self._generation

    def leave(self, line: CardSource) -> None:
        with self._turn:
            self._waiting.pop(line, None)
            if self._open and not self._waiting:
                while self._reading:
                    self._turn.wait(_TURN_S)
                self._close()

    def read(self, line: CardSource, generation: int) -> Block | None:
        with self._turn:
            while True:
                if not self._open or generation != self._generation:
                    raise self._gone
                mine = self._waiting[line]
                if mine:
                    return mine.popleft()
                if not self._reading:
                    break
                if not self._turn.wait(_TURN_S):
                    return None
            self._reading = True
            source = self._source
        assert source is not None  # it is open
        block: Block | None = None
        error: AudioDeviceError | None = None
        try:
            block = source.read()
        except AudioDeviceError as gone:
            error = gone
        with self._turn:
            self._reading = False
            self._turn.notify_all()
            if error is not None:
                self._gone = error
                self._close()
                raise error
            if block is not None:
                for waiting in self._waiting.values():
                    waiting.append(block)
            own = self._waiting[line]
            return own.popleft() if own else None

    def _close(self) -> None:
        self._open = False
        if self._source is not None:
            self._source.close()


class CardSource:
    """Implements `AudioSource` for some channels of a card."""

    def __init__(
        self,
        card: _Card,
        *,
        rate_hz: int,
        channels: int,
        take: tuple[int, ...],
        roles: tuple[ChannelRole, ...],
        clock: Clock | None,
    ):
        self.rate_hz = rate_hz
        self.roles = roles
        self._card = card
        self._channels = channels
        self._take = list(take)
        self._clock = clock
        self._generation = 0

    def open(self) -> None:
        """Raises `AudioDeviceError`, as the card's own source does."""
        self._generation = self._card.join(self, self._clock)

    def read(self) -> Block | None:
        block = self._card.read(self, self._generation)
        if block is None:
            return None
        pcm = np.frombuffer(block.pcm, dtype="<i2").reshape(-1, self._channels)[:, self._take].tobytes()
        return Block(pcm=pcm, frames=block.frames, at=block.at, lost_frames=block.lost_frames)

    def close(self) -> None:
        self._card.leave(self)


def card_source(
    device: str,
    *,
    device_channels: int,
    take: tuple[int, ...],
    roles: tuple[ChannelRole, ...] = (ChannelRole.MIXED,),
    rate_hz: int = 8000,
    clock: Clock | None = None,
) -> AudioSource:
    """The source of one line on a card that other lines may use too (in this process); see `AlsaSource`.

    Raises `ValueError` when roles and channels do not fit together.
    """
    if len(take) != len(roles) or not all(0 <= column < device_channels for column in take):
        raise ValueError(f"{device}: channels {take} of {device_channels} do not give one channel for each of {roles}")
    key = (device, rate_hz, device_channels)
    with _cards_lock:
        card = _cards.get(key)
        if card is None:
            every = (ChannelRole.MIXED,) * device_channels
            card = _cards[key] = _Card(lambda clock: AlsaSource(device, rate_hz=rate_hz, roles=every, clock=clock))
    return CardSource(card, rate_hz=rate_hz, channels=device_channels, take=take, roles=roles, clock=clock)
