"""Writes calls for ever, in a process of its own, and says on standard output what is committed: to be killed."""

from __future__ import annotations

import sys
from pathlib import Path

from firmware.clock import SystemClock
from firmware.effects import SaveCall
from firmware.model import LineId, Outcome
from firmware.store.migrate import migrate
from firmware.store.writer import StoreWriter
from tests.store.world import ended, ring, ringing

path, line = Path(sys.argv[1]), LineId(sys.argv[2])
migrate(path)
clock = SystemClock()
writer = StoreWriter(path, clock)
writer.start()
while True:
    call = ringing(clock.now(), line=line)
    writer.submit([SaveCall(call=call), ring(call, call.started)])
    writer.submit([SaveCall(call=ended(call, clock.now(), Outcome.MISSED))])
    writer.flush(10.0)
    print(call.id, flush=True)
