"""Every step of the database's schema, in order; a step that landed is never edited."""

from __future__ import annotations

from sqlite_utils import Database, Migrations

migrations = Migrations("offhook")


@migrations()
def m0001_first(db: Database) -> None:
    """Calls, recordings, the ledger, alarms, settings, and the outbox for the cloud."""
    db.executescript(
        """
        CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

        -- One row per start of the machine: moments of one boot compare by boot_ns, and a wrong wall clock is
        -- corrected for the whole boot by offset_ms once it is known.
        CREATE TABLE boot (
            boot_no INTEGER PRIMARY KEY AUTOINCREMENT,
            boot_id TEXT NOT NULL UNIQUE,
            first_utc_ms INTEGER NOT NULL,
            first_boot_ns INTEGER NOT NULL,
            offset_ms INTEGER,
            source TEXT NOT NULL DEFAULT 'none' CHECK (source IN ('none', 'ntp', 'cloud', 'rtc'))
        ) STRICT;

        CREATE TABLE line (
            id TEXT PRIMARY KEY,
            kind TEXT NOT NULL CHECK (kind IN ('analog', 'sim')),
            driver TEXT NOT NULL,
            label TEXT NOT NULL,
            first_utc_ms INTEGER NOT NULL
        ) STRICT;

        CREATE TABLE call (
            id TEXT PRIMARY KEY,
            line TEXT NOT NULL,
            direction TEXT NOT NULL,
            status TEXT NOT NULL,
            number TEXT,
            name TEXT,
            presentation TEXT NOT NULL,
            boot_no INTEGER NOT NULL REFERENCES boot (boot_no),
            started_utc_ms INTEGER NOT NULL,
            started_boot_ns INTEGER NOT NULL,
            answered_utc_ms INTEGER,
            answered_boot_ns INTEGER,
            ended_utc_ms INTEGER,
            ended_boot_ns INTEGER,
            outcome TEXT,
            end_reason TEXT,
            parts INTEGER NOT NULL DEFAULT 0,
            flags TEXT NOT NULL DEFAULT '[]'
        ) STRICT;
        CREATE INDEX call_started ON call (started_utc_ms DESC);
        CREATE INDEX call_open ON call (line) WHERE status <> 'ended';

        CREATE TRIGGER call_ended_never_changes BEFORE UPDATE ON call WHEN old.status = 'ended'
        BEGIN
            SELECT raise(ABORT, 'an ended call never changes');
        END;

        CREATE TABLE recording (
            id TEXT PRIMARY KEY,
            call_id TEXT NOT NULL REFERENCES call (id) ON DELETE CASCADE,
            line TEXT NOT NULL,
            part INTEGER NOT NULL,
            status TEXT NOT NULL CHECK (status IN ('recording', 'closed', 'sealed', 'failed', 'deleted')),
            boot_no INTEGER NOT NULL REFERENCES boot (boot_no),
            started_utc_ms INTEGER NOT NULL,
            started_boot_ns INTEGER NOT NULL,
            rate_hz INTEGER NOT NULL,
            roles TEXT NOT NULL,                    -- JSON: ["remote", "local"] or ["mixed"]
            raw_path TEXT,                          -- all paths are relative to the data folder
            frames INTEGER,
            duration_ms INTEGER,
            cut_short INTEGER NOT NULL DEFAULT 0,
            one_way INTEGER NOT NULL DEFAULT 0,     -- one of two channels stayed silent while the other spoke
            silent INTEGER NOT NULL DEFAULT 0,
            levels TEXT,                            -- JSON: one object per channel
            chain_head TEXT,
            flac_path TEXT, flac_size INTEGER, flac_sha256 TEXT,
            opus_path TEXT, opus_size INTEGER, opus_sha256 TEXT,
            peaks_path TEXT,
            sealed_utc_ms INTEGER,
            error TEXT
        ) STRICT;
        CREATE INDEX recording_call ON recording (call_id, part);

        CREATE TABLE gap (
            recording_id TEXT NOT NULL REFERENCES recording (id) ON DELETE CASCADE,
            at_frame INTEGER NOT NULL,
            missing_ms INTEGER,
            cause TEXT NOT NULL
        ) STRICT;
        CREATE INDEX gap_recording ON gap (recording_id);

        -- The completeness ledger: every ring, off-hook, loop change and modem call event, and what became of it.
        CREATE TABLE ledger (
            id TEXT PRIMARY KEY,
            line TEXT NOT NULL,
            kind TEXT NOT NULL,
            boot_no INTEGER NOT NULL REFERENCES boot (boot_no),
            at_utc_ms INTEGER NOT NULL,
            at_boot_ns INTEGER NOT NULL,
            until_utc_ms INTEGER,                   -- for a hole in watching: its end
            call_id TEXT,
            fault TEXT,
            detail TEXT NOT NULL DEFAULT ''
        ) STRICT;
        CREATE INDEX ledger_at ON ledger (at_utc_ms);
        CREATE INDEX ledger_call ON ledger (call_id);

        CREATE TABLE alarm (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            key TEXT NOT NULL,
            subject TEXT NOT NULL,
            severity TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
            params TEXT NOT NULL DEFAULT '{}',
            since_utc_ms INTEGER NOT NULL,
            last_utc_ms INTEGER NOT NULL,
            count INTEGER NOT NULL DEFAULT 1,
            acknowledged_utc_ms INTEGER,
            acknowledged_by TEXT,
            resolved_utc_ms INTEGER
        ) STRICT;
        CREATE UNIQUE INDEX alarm_standing ON alarm (key, subject) WHERE resolved_utc_ms IS NULL;

        -- The settings, one row per version; the newest is in force.
        CREATE TABLE setting (
            version INTEGER PRIMARY KEY AUTOINCREMENT,
            document TEXT NOT NULL,                 -- TOML, as validated
            applied_utc_ms INTEGER NOT NULL,
            applied_by TEXT NOT NULL
        ) STRICT;

        -- The outbox: the only queue to the cloud. seq is dense within an epoch, so the cloud can prove that nothing
        -- is missing; the epoch (in meta) changes when the database is made anew.
        CREATE TABLE outbox_event (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            type TEXT NOT NULL,
            boot_no INTEGER NOT NULL REFERENCES boot (boot_no),
            boot_ns INTEGER NOT NULL,
            utc_ms INTEGER NOT NULL,
            body TEXT NOT NULL,
            prio INTEGER NOT NULL DEFAULT 1,
            state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent', 'stored', 'quarantined')),
            attempts INTEGER NOT NULL DEFAULT 0,
            next_utc_ms INTEGER NOT NULL DEFAULT 0,
            last_err TEXT
        ) STRICT;
        CREATE INDEX outbox_event_due ON outbox_event (prio, seq) WHERE state = 'pending';

        CREATE TABLE outbox_file (
            fid TEXT PRIMARY KEY,
            recording_id TEXT NOT NULL,
            path TEXT NOT NULL,
            size INTEGER NOT NULL,
            sha256 TEXT NOT NULL,
            prio INTEGER NOT NULL DEFAULT 3,
            state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sending', 'stored', 'quarantined')),
            attempts INTEGER NOT NULL DEFAULT 0,
            next_utc_ms INTEGER NOT NULL DEFAULT 0,
            have TEXT,
            init_json TEXT,
            stored_utc_ms INTEGER,
            last_err TEXT
        ) STRICT;

        CREATE TABLE quarantine (
            kind TEXT NOT NULL, ref TEXT NOT NULL, reason TEXT NOT NULL, at_utc_ms INTEGER NOT NULL
        ) STRICT;
        """
    )


@migrations()
def m0002_moments_of_another_boot(db: Database) -> None:
    """A call may be answered or end in a later boot than it started in; order by what never jumps."""
    db.executescript(
        """
        ALTER TABLE call ADD COLUMN answered_boot_no INTEGER REFERENCES boot (boot_no);
        ALTER TABLE call ADD COLUMN ended_boot_no INTEGER REFERENCES boot (boot_no);
        CREATE INDEX call_order ON call (boot_no DESC, started_boot_ns DESC);
        CREATE INDEX ledger_order ON ledger (boot_no DESC, at_boot_ns DESC);
        CREATE INDEX recording_status ON recording (status, boot_no, started_boot_ns);
        CREATE INDEX outbox_file_recording ON outbox_file (recording_id);
        """
    )


@migrations()
def m0003_sims(db: Database) -> None:
    """What SIM cards and their network say, messages, and what is worth saying beside a call."""
    db.executescript(
        """
        CREATE TABLE sim_status (
            line TEXT PRIMARY KEY,
            at_utc_ms INTEGER NOT NULL,
            status TEXT NOT NULL                    -- JSON: SIM of docs/interfaces.md
        ) STRICT;

        -- The history of signal and registration: a point every 5 minutes and at each change, for 30 days.
        CREATE TABLE sim_signal (
            line TEXT NOT NULL,
            boot_no INTEGER NOT NULL REFERENCES boot (boot_no),
            at_utc_ms INTEGER NOT NULL,
            at_boot_ns INTEGER NOT NULL,
            dbm INTEGER,
            circuit TEXT,
            packet TEXT,
            radio TEXT,
            operator TEXT,
            voice TEXT NOT NULL
        ) STRICT;
        CREATE INDEX sim_signal_line ON sim_signal (line, at_utc_ms);

        CREATE TABLE sim_message (
            id TEXT PRIMARY KEY,
            line TEXT NOT NULL,
            own_number TEXT,
            state TEXT NOT NULL CHECK (state IN ('received', 'sent', 'failed')),
            number TEXT NOT NULL,
            text TEXT NOT NULL,
            boot_no INTEGER NOT NULL REFERENCES boot (boot_no),
            at_utc_ms INTEGER NOT NULL,
            at_boot_ns INTEGER NOT NULL,
            network_utc_ms INTEGER,                 -- when the message centre took it, by its own clock
            detail TEXT NOT NULL DEFAULT ''
        ) STRICT;
        CREATE INDEX sim_message_order ON sim_message (boot_no DESC, at_boot_ns DESC);

        CREATE TABLE sim_balance (
            line TEXT NOT NULL, at_utc_ms INTEGER NOT NULL, code TEXT NOT NULL, text TEXT NOT NULL
        ) STRICT;
        CREATE INDEX sim_balance_line ON sim_balance (line, at_utc_ms);

        -- The admin's PINs, sealed with a key made from the box's identity. A refused one is never sent again.
        CREATE TABLE sim_pin (
            line TEXT PRIMARY KEY,
            iccid TEXT,
            sealed BLOB NOT NULL,
            refused INTEGER NOT NULL DEFAULT 0,
            set_utc_ms INTEGER NOT NULL
        ) STRICT;

        CREATE TABLE call_mark (
            call_id TEXT NOT NULL REFERENCES call (id) ON DELETE CASCADE,
            mark TEXT NOT NULL,
            after_s REAL NOT NULL
        ) STRICT;
        CREATE INDEX call_mark_call ON call_mark (call_id);

        -- Where the time of a boot came from, when a SIM told it.
        ALTER TABLE boot ADD COLUMN told_by TEXT;
        """
    )


@migrations()
def m0004_sync(db: Database) -> None:
    """What the sync process must remember: the cloud's storage epoch, a pause, the commands it has carried out."""
    db.executescript(
        """
        CREATE TABLE sync_note (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

        CREATE TABLE sync_command (
            id TEXT PRIMARY KEY,
            op TEXT NOT NULL,
            state TEXT NOT NULL,
            answer TEXT NOT NULL,                   -- JSON: the last answer, given again when the command comes again
            at_utc_ms INTEGER NOT NULL
        ) STRICT;

        CREATE INDEX outbox_file_due ON outbox_file (prio, fid) WHERE state IN ('pending', 'sending');
        """
    )


@migrations()
def m0005_line_health(db: Database) -> None:
    """What each recording of an analog line tells of the line."""
    db.executescript(
        """
        CREATE TABLE line_health (
            recording_id TEXT PRIMARY KEY REFERENCES recording (id) ON DELETE CASCADE,
            line TEXT NOT NULL,
            hum_50_dbfs REAL NOT NULL,
            hum_60_dbfs REAL NOT NULL,
            noise_dbfs REAL NOT NULL,
            speech_dbfs REAL,
            clipped_share REAL NOT NULL
        ) STRICT;
        """
    )


@migrations()
def m0006_open_holes(db: Database) -> None:
    """A hole in watching is stored when it begins: finding the open ones must not read the whole ledger."""
    db.executescript(
        """
        CREATE INDEX ledger_open_hole ON ledger (line) WHERE kind = 'hole' AND until_utc_ms IS NULL;
        """
    )


@migrations()
def m0007_keeping(db: Database) -> None:
    """What people protect, what was deleted and why, and deletions that wait for a person's word."""
    db.executescript(
        """
        -- No rule deletes the sound of such a call, however full the disk is.
        CREATE TABLE call_protection (
            call_id TEXT PRIMARY KEY REFERENCES call (id) ON DELETE CASCADE,
            reason TEXT NOT NULL DEFAULT '',
            by TEXT NOT NULL,
            at_utc_ms INTEGER NOT NULL
        ) STRICT;

        -- One row per deleted recording, for ever: the page copies it into its audit log.
        CREATE TABLE deletion (
            n INTEGER PRIMARY KEY AUTOINCREMENT,
            recording_id TEXT NOT NULL,
            call_id TEXT NOT NULL,
            line TEXT NOT NULL,
            rule TEXT NOT NULL CHECK (rule IN ('days', 'space', 'not_to_be_recorded', 'person')),
            by TEXT NOT NULL,
            reason TEXT NOT NULL DEFAULT '',
            stored INTEGER NOT NULL,                -- the cloud had it
            bytes INTEGER NOT NULL,
            at_utc_ms INTEGER NOT NULL
        ) STRICT;
        CREATE TRIGGER deletion_never_changes BEFORE UPDATE ON deletion
        BEGIN
            SELECT raise(ABORT, 'what was deleted never changes');
        END;
        CREATE TRIGGER deletion_stays BEFORE DELETE ON deletion
        BEGIN
            SELECT raise(ABORT, 'what was deleted never changes');
        END;

        -- A run of the janitor that wants to delete more than it may without asking.
        CREATE TABLE retention_ask (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            at_utc_ms INTEGER NOT NULL,
            recordings INTEGER NOT NULL,
            bytes INTEGER NOT NULL,
            kept INTEGER NOT NULL,                  -- recordings that are kept at that moment
            newest_utc_ms INTEGER NOT NULL,         -- start of the newest recording among those to go
            settings_version INTEGER NOT NULL,      -- whose rules they are
            used_utc_ms INTEGER,                    -- when a run went by a yes: it counts once
            decision TEXT CHECK (decision IN ('yes', 'no')),
            decided_by TEXT,
            decided_utc_ms INTEGER
        ) STRICT;
        """
    )


@migrations()
def m0008_webhooks_and_volume(db: Database) -> None:
    """Webhooks: secrets, how far each is, what was delivered. Sync: how much was sent on which day."""
    db.executescript(
        """
        -- One row per webhook of the settings, made by the sync process when it first sees it.
        CREATE TABLE webhook (
            id TEXT PRIMARY KEY,
            secret TEXT NOT NULL,                   -- "whsec_" and base64, as Standard Webhooks write it
            old_secret TEXT,                        -- signs as well until old_until_utc_ms
            old_until_utc_ms INTEGER NOT NULL DEFAULT 0,
            upto_seq INTEGER NOT NULL,              -- outbox_event rows up to this one have become deliveries
            gone INTEGER NOT NULL DEFAULT 0,        -- it answered 410: nothing more goes there until it is changed
            url TEXT NOT NULL
        ) STRICT;

        CREATE TABLE webhook_delivery (
            id TEXT PRIMARY KEY,                    -- the header webhook-id: the same at every attempt
            webhook TEXT NOT NULL REFERENCES webhook (id) ON DELETE CASCADE,
            seq INTEGER,                            -- outbox_event; NULL: a test
            type TEXT NOT NULL,
            state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'failed')),
            attempts INTEGER NOT NULL DEFAULT 0,
            made_utc_ms INTEGER NOT NULL,
            next_utc_ms INTEGER NOT NULL DEFAULT 0,
            done_utc_ms INTEGER,
            http_status INTEGER,                    -- of the last attempt
            took_ms INTEGER,
            error TEXT
        ) STRICT;
        CREATE INDEX webhook_delivery_due ON webhook_delivery (webhook, next_utc_ms) WHERE state = 'pending';
        CREATE INDEX webhook_delivery_log ON webhook_delivery (webhook, made_utc_ms);

        CREATE TABLE sync_volume (day TEXT PRIMARY KEY, bytes INTEGER NOT NULL) STRICT;
        """
    )


@migrations()
def m0009_what_a_line_tells(db: Database) -> None:
    """Numbers as the world reads them, which of several ring patterns rang, and the voltage of an analog line."""
    db.executescript(
        """
        ALTER TABLE line ADD COLUMN country TEXT NOT NULL DEFAULT '';
        ALTER TABLE call ADD COLUMN number_e164 TEXT;
        ALTER TABLE call ADD COLUMN ring_pattern TEXT;

        CREATE TABLE line_voltage (
            call_id TEXT PRIMARY KEY REFERENCES call (id) ON DELETE CASCADE,
            line TEXT NOT NULL,
            on_hook_v REAL,                         -- before the call, and while it rang
            off_hook_v REAL                         -- with a handset up
        ) STRICT;
        """
    )


@migrations()
def m0010_annotations(db: Database) -> None:
    """What people write to a call: note, tags, markers in its sound, that somebody has reviewed it."""
    db.executescript(
        """
        CREATE TABLE call_note (
            call_id TEXT PRIMARY KEY REFERENCES call (id) ON DELETE CASCADE,
            text TEXT NOT NULL,
            by TEXT NOT NULL,
            at_utc_ms INTEGER NOT NULL
        ) STRICT;

        CREATE TABLE call_tag (
            call_id TEXT NOT NULL REFERENCES call (id) ON DELETE CASCADE,
            tag TEXT NOT NULL,
            PRIMARY KEY (call_id, tag)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX call_tag_tag ON call_tag (tag);

        CREATE TABLE call_marker (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            recording_id TEXT NOT NULL REFERENCES recording (id) ON DELETE CASCADE,
            at_ms INTEGER NOT NULL,                 -- from the beginning of the recording
            until_ms INTEGER,                       -- NULL: a moment, not a stretch
            text TEXT NOT NULL,
            by TEXT NOT NULL,
            at_utc_ms INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX call_marker_recording ON call_marker (recording_id, at_ms);

        CREATE TABLE call_review (
            call_id TEXT PRIMARY KEY REFERENCES call (id) ON DELETE CASCADE,
            by TEXT NOT NULL,
            at_utc_ms INTEGER NOT NULL
        ) STRICT;

        -- Every change of the above and of protection, in order: a call's history, and what a search index follows.
        CREATE TABLE annotation (
            n INTEGER PRIMARY KEY AUTOINCREMENT,
            call_id TEXT NOT NULL,
            what TEXT NOT NULL,
            value TEXT NOT NULL DEFAULT '',
            by TEXT NOT NULL,
            at_utc_ms INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX annotation_call ON annotation (call_id);
        """
    )
