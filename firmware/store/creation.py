"""Makes a database anew: it gets its name only when it is complete, and takes over the recordings on the disk."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlite_utils import Database

from firmware.clock import boot_id
from firmware.ports import Clock
from firmware.store import boot
from firmware.store.adopt import Orphan, adopt
from firmware.store.copies import put_in_place
from firmware.store.database import SCHEMA_VERSION, WORKS_SINCE, create_file, open_writer
from firmware.store.migrations import migrations
from firmware.store.transaction import Transaction


@contextmanager
def in_the_making(path: Path) -> Iterator[Database]:
    """An empty database under another name, moved to ``path`` when the block ends well."""
    partial = path.with_name(path.name + ".new")
    for suffix in ("", "-wal", "-shm"):
        partial.with_name(partial.name + suffix).unlink(missing_ok=True)
    create_file(partial)
    db = open_writer(partial, check=False)
    try:
        upgrade(db)
        yield db
        db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        db.close()
    put_in_place(partial, path)


def upgrade(db: Database) -> None:
    """Applies every step of the schema that is missing, each in a transaction of its own."""
    migrations.apply(db)
    with db.atomic():
        db.conn.execute("INSERT INTO meta (key, value) VALUES ('epoch', ?) ON CONFLICT DO NOTHING", (uuid.uuid4().hex,))
        db.conn.execute(
            "INSERT INTO meta (key, value) VALUES ('works_since', ?) ON CONFLICT DO UPDATE SET value = excluded.value",
            (str(WORKS_SINCE),),
        )
        db.conn.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def adopt_all(db: Database, orphans: Sequence[Orphan], clock: Clock) -> Transaction:
    """Adopts recordings, oldest first. Their boots come before this one, so that the list of calls keeps its order."""
    for orphan in orphans:
        header = orphan.sidecar.header
        if header.boot_id:
            boot.ensure(db, header.boot_id, header.at)
    now = clock.now()
    tx = Transaction(db, boot.ensure(db, boot_id(), now), now)
    for orphan in orphans:
        adopt(tx, orphan)
    return tx
