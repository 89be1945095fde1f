"""Publishes that the broker has not acknowledged yet: each has a token, and there are never more than it allows."""

from __future__ import annotations

DEFAULT_SLOTS = 20
"""Where the broker names no Receive Maximum: mosquitto's own limit."""
MOST_SLOTS = 64


class Slots:
    def __init__(self) -> None:
        self._token = 0
        self._most = DEFAULT_SLOTS
        self._open: dict[int, float] = {}
        """When each was sent, the oldest first."""

    def begin(self, receive_max: int | None) -> None:
        """A connection, with what its broker allows."""
        self._open.clear()
        self._most = max(1, min(receive_max or DEFAULT_SLOTS, MOST_SLOTS))

    def clear(self) -> None:
        self._open.clear()

    def take(self, now_s: float) -> int:
        """The token of another publish."""
        self._token += 1
        self._open[self._token] = now_s
        return self._token

    def free(self, token: int) -> bool:
        """False when it was not open."""
        return self._open.pop(token, None) is not None

    def room(self, *, kept: int = 0) -> bool:
        """Whether the broker takes another publish, ``kept`` of them set aside for what is more urgent."""
        return len(self._open) < max(1, self._most - kept)

    def oldest_s(self, now_s: float) -> float:
        """For how long the oldest has waited; 0 when there is none."""
        return now_s - next(iter(self._open.values()), now_s)
