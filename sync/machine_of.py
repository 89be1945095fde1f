"""The sync machine as the settings want it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from firmware.config_sync import ConfirmedBy, FilesBy, SyncSettings
from sync.emqx import FIN_S
from sync.machine import SyncMachine
from sync.moves import Timing
from sync.pacing import Pacing, Schedule, minutes_of


def machine_of(settings: SyncSettings, *, pipe: Callable[[], int | None]) -> SyncMachine:
    """``pipe`` as `SyncMachine` wants it."""
    timing = Timing(
        hello_s=settings.hello_s,
        probe_s=settings.probe_s,
        probe_longest_s=settings.probe_s * 5,
        greet_again_s=settings.probe_s * 15,
        resend_s=settings.resend_s,
        fin_s=FIN_S if settings.files_by is FilesBy.EMQX else 0.0,
        backoff_longest_s=settings.longest_backoff_s,
        backoff_first_s=min(1.0, settings.longest_backoff_s),
    )
    schedule = Schedule(tuple(minutes_of(window) for window in settings.windows))
    limit = settings.limit_kbps * 125.0 if settings.limit_kbps else None
    # The jitter need not be secret; seeded by time, so that two boxes of one image differ.
    jitter = random.Random(time.time_ns())  # noqa: S311
    return SyncMachine(
        random=jitter.random,
        timing=timing,
        pacing=Pacing(schedule, bytes_per_s=limit),
        trust_broker=settings.confirmed_by is ConfirmedBy.BROKER,
        pipe=pipe,
    )
