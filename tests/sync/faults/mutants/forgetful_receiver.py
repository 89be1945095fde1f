"""A receiver that is wrong on purpose: it does not know a record again that comes a second time."""

from __future__ import annotations

import os
import sys

from attrs import evolve

from sync.receiver.messages import RecordIn
from sync.receiver.service import main
from sync.receiver.settings import load
from sync.receiver.sqlite_storage import SqliteTransaction
from sync.receiver.storage import Added


class ForgetfulTransaction(SqliteTransaction):
    def add_record(self, dev: str, record: RecordIn, *, at_ms: int) -> Added:
        event = record.record
        ((known,),) = self._rows.run(
            "SELECT count(*) FROM record WHERE dev = :dev AND seq = :seq", dev=dev, seq=event.seq
        )
        return super().add_record(
            dev, evolve(record, record=evolve(event, id=f"{event.id}-{known}")) if known else record, at_ms=at_ms
        )


if __name__ == "__main__":
    import sync.receiver.sqlite_storage as storage

    storage.SqliteTransaction = ForgetfulTransaction  # type: ignore[misc]
    sys.exit(main(load(None, os.environ)))
