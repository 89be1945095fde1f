"""Turns the edges of a loop sensor into off-hook and on-hook: bounce, ringing current and hook flashes are neither."""

from __future__ import annotations

from dataclasses import dataclass

from firmware.model import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class HookTiming:
    """How long a level must hold before it counts.

    Sources: DAHDI accepts flashes up to 1250 ms and sends 750 ms; an exchange that clears opens the loop for 250 to
    900 ms; dial pulses break the loop for about 60 ms.
    """

    off_hook_ms: int = 100
    """Longer than a cycle of the lowest ringing frequency (16 Hz: 62 ms), whose swing crosses the threshold."""
    on_hook_ms: int = 600
    """A shorter break is a hook flash, a dial pulse or a clearing exchange. Up to 1300 where long flashes are used."""


@dataclass(frozen=True, slots=True)
class HookChanged:
    """``at`` is when the level changed, not when that was certain."""

    off_hook: bool
    at: Instant


class HookDetector:
    """Sans-I/O: `feed` it every edge in order, call `advance` when `due` has come; both return what is now known."""

    def __init__(self, timing: HookTiming = HookTiming(), *, off_hook: bool = False) -> None:
        self._hold_s = {True: timing.off_hook_ms / 1000, False: timing.on_hook_ms / 1000}
        self._off_hook = off_hook
        self._level = off_hook
        self._since: Instant | None = None

    @property
    def off_hook(self) -> bool:
        return self._off_hook

    @property
    def level(self) -> bool:
        """The sensor's level as last fed, certain or not."""
        return self._level

    def feed(self, off_hook: bool, at: Instant) -> list[HookChanged]:
        """The sensor's level changed (or was read again) at ``at``."""
        reports = self.advance(at)
        if off_hook != self._level:
            self._level = off_hook
            self._since = at if off_hook != self._off_hook else None
        return reports

    def advance(self, now: Instant) -> list[HookChanged]:
        """Time has passed up to ``now`` without an edge."""
        due = self.due()
        if due is None or now.boot_ns < due.boot_ns:
            return []
        assert self._since is not None
        changed = HookChanged(self._level, self._since)
        self._off_hook, self._since = self._level, None
        return [changed]

    def put_back(self) -> list[HookChanged]:
        """Something else tells that a break of the loop is no flash: the handset lies, since the break began."""
        if not self._off_hook or self._level or self._since is None:
            return []
        changed = HookChanged(False, self._since)
        self._off_hook, self._since = False, None
        return [changed]

    def due(self) -> Instant | None:
        """When the level will have held long enough; None: nothing to wait for."""
        return None if self._since is None else self._since.plus_s(self._hold_s[self._level])
