"""The tables of `sync.receiver.schema` for PostgreSQL, and one more for the chunks of files on their way.

Steps are only added; one that landed is never edited.
"""

from __future__ import annotations

import psycopg

STEPS = (
    """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);

    CREATE TABLE device (
        dev TEXT COLLATE "C" PRIMARY KEY,
        first_ms BIGINT NOT NULL,
        last_ms BIGINT NOT NULL,
        status TEXT, status_ms BIGINT,
        hello TEXT, hello_ms BIGINT,
        reported TEXT, reported_version BIGINT, reported_ms BIGINT
    ) WITH (fillfactor = 70);

    CREATE TABLE epoch (
        dev TEXT COLLATE "C" NOT NULL, epoch TEXT COLLATE "C" NOT NULL,
        first_ms BIGINT NOT NULL,
        dense_upto BIGINT NOT NULL DEFAULT 0,
        max_seq BIGINT NOT NULL DEFAULT 0,
        claimed BIGINT NOT NULL DEFAULT 0,
        PRIMARY KEY (dev, epoch)
    ) WITH (fillfactor = 70);

    CREATE TABLE record (
        dev TEXT COLLATE "C" NOT NULL, epoch TEXT COLLATE "C" NOT NULL, id TEXT COLLATE "C" NOT NULL,
        seq BIGINT NOT NULL,
        type TEXT NOT NULL,
        body TEXT NOT NULL,
        received_ms BIGINT NOT NULL,
        PRIMARY KEY (dev, epoch, id)
    );
    CREATE INDEX record_seq ON record (dev, epoch, seq);

    CREATE TABLE file (
        dev TEXT COLLATE "C" NOT NULL, fid TEXT COLLATE "C" NOT NULL,
        name TEXT NOT NULL,
        size BIGINT NOT NULL,
        sha256 TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('receiving', 'stored', 'aborted')),
        held TEXT NOT NULL,
        init TEXT NOT NULL,
        fin INTEGER NOT NULL DEFAULT 0,
        first_ms BIGINT NOT NULL,
        last_ms BIGINT NOT NULL,
        stored_ms BIGINT,
        stored_times INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (dev, fid)
    ) WITH (fillfactor = 70);
    CREATE INDEX file_unfinished ON file (last_ms) WHERE state = 'receiving';

    CREATE TABLE chunk (
        dev TEXT COLLATE "C" NOT NULL, fid TEXT COLLATE "C" NOT NULL,
        at BIGINT NOT NULL,
        data BYTEA NOT NULL,
        PRIMARY KEY (dev, fid, at)
    );
    ALTER TABLE chunk ALTER COLUMN data SET STORAGE EXTERNAL; -- FLAC and Opus do not shrink
    ALTER TABLE chunk SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

    CREATE TABLE poison (
        id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        dev TEXT, topic TEXT NOT NULL, reason TEXT NOT NULL,
        sha256 TEXT NOT NULL, size BIGINT NOT NULL,
        payload BYTEA NOT NULL,
        first_ms BIGINT NOT NULL, last_ms BIGINT NOT NULL, count BIGINT NOT NULL DEFAULT 1,
        UNIQUE (topic, sha256, reason)
    );

    CREATE TABLE desired (
        dev TEXT COLLATE "C" PRIMARY KEY, version BIGINT NOT NULL, document TEXT NOT NULL, set_ms BIGINT NOT NULL,
        sent INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX desired_unsent ON desired (dev) WHERE sent = 0;

    CREATE TABLE command (
        id TEXT PRIMARY KEY, dev TEXT COLLATE "C" NOT NULL, op TEXT NOT NULL, args TEXT NOT NULL,
        made_ms BIGINT NOT NULL, not_after_ms BIGINT NOT NULL,
        sent INTEGER NOT NULL DEFAULT 0,
        state TEXT NOT NULL DEFAULT 'waiting', result TEXT, result_ms BIGINT
    );
    CREATE INDEX command_open ON command (dev) WHERE state IN ('waiting', 'accepted', 'running');
    CREATE INDEX command_unsent ON command (dev) WHERE sent = 0;

    CREATE TABLE call (
        dev TEXT COLLATE "C" NOT NULL, call TEXT COLLATE "C" NOT NULL, epoch TEXT COLLATE "C" NOT NULL,
        seq BIGINT NOT NULL,
        line TEXT, direction TEXT, status TEXT, number TEXT, name TEXT, presentation TEXT, outcome TEXT,
        boot_no BIGINT, started_boot_ns BIGINT,
        started_ms BIGINT, answered_ms BIGINT, ended_ms BIGINT,
        PRIMARY KEY (dev, call)
    ) WITH (fillfactor = 70);
    CREATE INDEX call_started ON call (started_ms DESC, dev, call);

    CREATE TABLE recording (
        dev TEXT COLLATE "C" NOT NULL, recording TEXT COLLATE "C" NOT NULL, epoch TEXT COLLATE "C" NOT NULL,
        seq BIGINT NOT NULL,
        call TEXT COLLATE "C", part BIGINT, duration_ms BIGINT, cut_short INTEGER, status TEXT, error TEXT,
        files TEXT NOT NULL DEFAULT '[]',
        PRIMARY KEY (dev, recording)
    ) WITH (fillfactor = 70);
    CREATE INDEX recording_call ON recording (dev, call, part);

    CREATE TABLE alarm (
        dev TEXT COLLATE "C" NOT NULL, epoch TEXT COLLATE "C" NOT NULL, alarm BIGINT NOT NULL, seq BIGINT NOT NULL,
        key TEXT, subject TEXT, severity TEXT, body TEXT NOT NULL,
        since_ms BIGINT, resolved_ms BIGINT,
        PRIMARY KEY (dev, epoch, alarm)
    );

    CREATE TABLE boot (
        dev TEXT COLLATE "C" NOT NULL, epoch TEXT COLLATE "C" NOT NULL, boot_no BIGINT NOT NULL, seq BIGINT NOT NULL,
        first_utc_ms BIGINT NOT NULL, first_boot_ns BIGINT NOT NULL, offset_ms BIGINT NOT NULL,
        PRIMARY KEY (dev, epoch, boot_no)
    );
    """,
    """
    ALTER TABLE device ADD COLUMN state TEXT;
    CREATE INDEX alarm_standing ON alarm (since_ms DESC) WHERE resolved_ms IS NULL;
    """,
)
STARTING = 0x0FF400C
"""The advisory lock of whoever makes tables or the store's epoch: any number that every receiver takes."""


def migrate(connection: psycopg.Connection) -> None:
    """Brings the tables to the newest step; receivers that start together do it one after another."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (STARTING,))
        connection.execute("CREATE TABLE IF NOT EXISTS schema_step (step INTEGER PRIMARY KEY)")
        done = {row[0] for row in connection.execute("SELECT step FROM schema_step")}
        for number, step in enumerate(STEPS, start=1):
            if number not in done:
                connection.execute(step.encode())  # bytes: it is the program's own text
                connection.execute("INSERT INTO schema_step VALUES (%s)", (number,))
