"""A receiver that is wrong on purpose: it answers before it commits."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence

from sync.receiver.core import Receiver, Reply, coalesced
from sync.receiver.engine import Delivery, Engine
from sync.receiver.service import Service, main
from sync.receiver.settings import load
from sync.receiver.storage import Storage
from sync.receiver.suspects import Suspects

_SLOW_DISK_S = 0.6
"""What the answer overtakes."""


class HastyService(Service):
    def make_engine(self, storage: Storage, suspects: Suspects) -> Engine:
        service = self

        class HastyEngine(Engine):
            def _commit(self, batch: Sequence[Delivery]) -> Iterator[list[Reply]]:
                if batch:
                    with self._storage.transaction() as tx:
                        outcomes = [self._handled(tx, self._message(delivery, "")) for delivery in batch]
                        outcomes += [self._receiver.finish(tx, one.finish, at_ms=0) for one in outcomes if one.finish]
                        service.broker.publish(coalesced([reply for outcome in outcomes for reply in outcome.replies]))
                        time.sleep(_SLOW_DISK_S)
                yield []

        return HastyEngine(
            storage,
            Receiver(self._settings.limits),
            suspects=suspects,
            now_ms=lambda: time.time_ns() // 1_000_000,
        )


if __name__ == "__main__":
    sys.exit(main(load(None, os.environ), service_type=HastyService))
