"""The receiver's own database, step by step; a step that landed is never edited."""

from __future__ import annotations

from sqlite_utils import Database, Migrations

migrations = Migrations("offhook-receiver")


@migrations()
def m0001_first(db: Database) -> None:
    """Everything boxes said, the state of their files, and what people want to see made of it."""
    db.executescript(
        """
        CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

        CREATE TABLE device (
            dev TEXT PRIMARY KEY,
            first_ms INTEGER NOT NULL,
            last_ms INTEGER NOT NULL,
            status TEXT,                        -- JSON: its last status message
            status_ms INTEGER,
            hello TEXT,                         -- JSON: its last hello
            hello_ms INTEGER,
            reported TEXT, reported_version INTEGER, reported_ms INTEGER
        ) STRICT;

        -- A sequence: dense, so that what lacks can be named.
        CREATE TABLE epoch (
            dev TEXT NOT NULL, epoch TEXT NOT NULL,
            first_ms INTEGER NOT NULL,
            dense_upto INTEGER NOT NULL DEFAULT 0,
            max_seq INTEGER NOT NULL DEFAULT 0,
            claimed INTEGER NOT NULL DEFAULT 0, -- what the box said it has given out
            PRIMARY KEY (dev, epoch)
        ) STRICT;

        CREATE TABLE record (
            dev TEXT NOT NULL, epoch TEXT NOT NULL, id TEXT NOT NULL,
            seq INTEGER NOT NULL,
            type TEXT NOT NULL,
            body TEXT NOT NULL,                 -- the CloudEvent as it came
            received_ms INTEGER NOT NULL,
            PRIMARY KEY (dev, epoch, id)
        ) STRICT;
        CREATE INDEX record_seq ON record (dev, epoch, seq);

        CREATE TABLE file (
            dev TEXT NOT NULL, fid TEXT NOT NULL,
            name TEXT NOT NULL,
            size INTEGER NOT NULL,
            sha256 TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('receiving', 'stored', 'aborted')),
            held TEXT NOT NULL,                 -- JSON: [[start, end], ...]
            init TEXT NOT NULL,                 -- JSON: the init message as it came
            first_ms INTEGER NOT NULL,
            last_ms INTEGER NOT NULL,
            stored_ms INTEGER,
            stored_times INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (dev, fid)
        ) STRICT;
        CREATE INDEX file_unfinished ON file (last_ms) WHERE state = 'receiving';

        -- What cannot be handled, and why.
        CREATE TABLE poison (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            dev TEXT, topic TEXT NOT NULL, reason TEXT NOT NULL,
            sha256 TEXT NOT NULL, size INTEGER NOT NULL,
            payload BLOB NOT NULL,              -- its first bytes
            first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, count INTEGER NOT NULL DEFAULT 1,
            UNIQUE (topic, sha256, reason)
        ) STRICT;

        CREATE TABLE desired (
            dev TEXT PRIMARY KEY, version INTEGER NOT NULL, document TEXT NOT NULL, set_ms INTEGER NOT NULL,
            sent INTEGER NOT NULL DEFAULT 0
        ) STRICT;

        CREATE TABLE command (
            id TEXT PRIMARY KEY, dev TEXT NOT NULL, op TEXT NOT NULL, args TEXT NOT NULL,
            made_ms INTEGER NOT NULL, not_after_ms INTEGER NOT NULL,
            sent INTEGER NOT NULL DEFAULT 0,
            state TEXT NOT NULL DEFAULT 'waiting', result TEXT, result_ms INTEGER
        ) STRICT;
        CREATE INDEX command_open ON command (dev) WHERE state IN ('waiting', 'accepted', 'running');

        -- For people; made from the records, and can be made again from them.
        CREATE TABLE call (
            dev TEXT NOT NULL, call TEXT NOT NULL, epoch TEXT NOT NULL, seq INTEGER NOT NULL,
            line TEXT, direction TEXT, status TEXT, number TEXT, name TEXT, presentation TEXT, outcome TEXT,
            boot_no INTEGER, started_boot_ns INTEGER,
            started_ms INTEGER, answered_ms INTEGER, ended_ms INTEGER,
            PRIMARY KEY (dev, call)
        ) STRICT;
        CREATE INDEX call_started ON call (started_ms DESC, dev, call);

        CREATE TABLE recording (
            dev TEXT NOT NULL, recording TEXT NOT NULL, epoch TEXT NOT NULL, seq INTEGER NOT NULL,
            call TEXT, part INTEGER, duration_ms INTEGER, cut_short INTEGER, status TEXT, error TEXT,
            files TEXT NOT NULL DEFAULT '[]',   -- JSON: [{"fid", "codec", "size", "sha256"}]
            PRIMARY KEY (dev, recording)
        ) STRICT;
        CREATE INDEX recording_call ON recording (dev, call, part);

        CREATE TABLE alarm (
            dev TEXT NOT NULL, epoch TEXT NOT NULL, alarm INTEGER NOT NULL, seq INTEGER NOT NULL,
            key TEXT, subject TEXT, severity TEXT, body TEXT NOT NULL,
            since_ms INTEGER, resolved_ms INTEGER,
            PRIMARY KEY (dev, epoch, alarm)
        ) STRICT;

        CREATE TABLE boot (
            dev TEXT NOT NULL, epoch TEXT NOT NULL, boot_no INTEGER NOT NULL, seq INTEGER NOT NULL,
            first_utc_ms INTEGER NOT NULL, first_boot_ns INTEGER NOT NULL, offset_ms INTEGER NOT NULL,
            PRIMARY KEY (dev, epoch, boot_no)
        ) STRICT;
        """
    )


@migrations()
def m0002_fin(db: Database) -> None:
    """Whether a box has said that it sent everything of a file."""
    db.executescript("ALTER TABLE file ADD COLUMN fin INTEGER NOT NULL DEFAULT 0")


@migrations()
def m0003_state(db: Database) -> None:
    """The state out of the last status message, to count boxes by it."""
    db.executescript(
        """
        ALTER TABLE device ADD COLUMN state TEXT;
        CREATE INDEX alarm_standing ON alarm (since_ms DESC) WHERE resolved_ms IS NULL;
        """
    )
