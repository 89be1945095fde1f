"""What the recorder finds at its start: calls that were open when the one before it went down, and the hole since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from firmware.alive import LastSeen, in_this_boot
from firmware.call_machine import step
from firmware.config import Settings
from firmware.effects import Effect
from firmware.events import Tick
from firmware.line_keeper import Inherited, policy_of
from firmware.line_state import restored
from firmware.model import Call, Instant, LineId, LineKind
from firmware.policy import LinePolicy
from firmware.signals.countries import profile_of
from firmware.store.facts import HoleBegun
from firmware.store.recovery import OpenCall


def inherit(
    settings: Settings, open_calls: Sequence[OpenCall], seen: LastSeen | None, *, boot_id: str, now: Instant
) -> tuple[dict[LineId, Inherited], list[Effect]]:
    """What each line of the settings takes over, and the ends of calls whose line is no longer there.

    ``open_calls`` are oldest first. Of several on one line (the sign of an old bug) the newest goes on, the others end.
    """
    last_seen = _last_seen(open_calls, seen, boot_id, now)
    newest: dict[LineId, OpenCall] = {}
    ended: list[Effect] = []
    for known in open_calls:
        if known.call.line in newest:
            ended += end_unseen(newest[known.call.line].call, last_seen, now)
        newest[known.call.line] = known
    lines = {}
    for line in settings.lines:
        here = newest.pop(line.id, None)
        policy = policy_of(line, settings.recording.preroll_s, profile_of(settings.country_of(line)))
        state = None
        if here is not None:
            rang = LastSeen(at=here.last_known, boot_id=here.last_known_boot_id, clean=False)
            last_ring = in_this_boot(rang, boot_id, now)
            state = restored(line.id, policy, here.call, last_seen=last_seen, now=now, last_ring=last_ring)
        lines[line.id] = Inherited(state=state, hole=_hole(line.id, seen, boot_id, now))
    for known in newest.values():
        ended += end_unseen(known.call, last_seen, now)
    return lines, ended


def _last_seen(open_calls: Sequence[OpenCall], seen: LastSeen | None, boot_id: str, now: Instant) -> Instant:
    """When the box last watched: its own mark, or the newest thing the database knows, whichever is later."""
    marks = [seen] if seen is not None else []
    marks += [LastSeen(at=known.last_known, boot_id=known.last_known_boot_id, clean=False) for known in open_calls]
    return max((in_this_boot(mark, boot_id, now) for mark in marks), key=lambda at: at.boot_ns, default=now)


def end_unseen(call: Call, last_seen: Instant, now: Instant) -> list[Effect]:
    """The end of a call whose line will not come back: it was last seen when the recorder last watched."""
    state = restored(call.line, LinePolicy(kind=LineKind.ANALOG), call, last_seen=last_seen, now=now)
    _, effects = step(replace(state, deadline_ns=now.boot_ns), Tick(line=call.line, at=now))
    return list(effects)


def _hole(line: LineId, seen: LastSeen | None, boot_id: str, now: Instant) -> HoleBegun | None:
    """None on the very first start: nobody expected the box to watch before."""
    if seen is None:
        return None
    why = "stopped on purpose" if seen.clean else "restarted after a crash, a kill or a power cut"
    return HoleBegun(line=line, since=in_this_boot(seen, boot_id, now), detail=why)
