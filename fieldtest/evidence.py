"""What was seen and heard of one test call, before anybody judges it. Frozen values, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from attrs import field, frozen

from fieldtest.sound import Samples, Stretch
from firmware.signals.countries import Cadence
from firmware.signals.raw_edges import RawEdge

Upload = Literal["verified", "waiting", "no_cloud", "offline"]


@frozen(kw_only=True, eq=False)
class Sound:
    """The sealed recording, decoded. ``roles`` names its channels: remote, local or mixed."""

    samples: Samples
    rate_hz: int
    roles: tuple[str, ...]

    def channel(self, role: str) -> Samples:
        """The channel on which ``role`` is heard."""
        return self.samples[:, self.roles.index(role) if role in self.roles else 0]

    @property
    def two_way(self) -> bool:
        return "remote" in self.roles and "local" in self.roles


@frozen(kw_only=True, eq=False)
class CallEvidence:
    """Moments in UTC ms. ``exact``: a machine acted, so that delays mean something; a person presses too late."""

    exact: bool
    call: Mapping[str, Any]
    """CALL of docs/interfaces.md with its recordings, once it has ended."""
    caller: str | None = None
    """The number it was called from, when that is known."""
    answered_utc_ms: int
    hung_up_utc_ms: int
    recording_after_s: float | None = None
    """From the answer on until sound reached the disk; None: it never did."""
    stretches: Mapping[str, Stretch] = field(factory=dict)
    """``quiet``, ``far``, ``near``, ``keys``: seconds of the recording."""
    keys: str = ""
    sound: Sound | None = None
    elsewhere: Mapping[str, float] = field(factory=dict)
    """How loud other, idle lines were while somebody spoke on this one, dBm0."""
    intact: bool | None = None
    heard: bool | None = None
    """The technician (or the machine in his place) listened to it, and this is what he said."""
    upload: Upload = "no_cloud"
    gain_db: float = 0.0


@frozen(kw_only=True, eq=False)
class RingEvidence:
    """The edges of an analog line from before the call until it was answered."""

    edges: Sequence[RawEdge]
    until_ms: float
    cadences: Sequence[Cadence]
    has_battery_sensor: bool = False
    battery: bool = False
    idle_active: tuple[str, ...] = ()
    """Sensors that say yes while nobody uses the line."""
