"""Every step of web.db's schema, in order; a step that landed is never edited."""

from __future__ import annotations

from sqlite_utils import Database, Migrations

migrations = Migrations("offhook-web")


@migrations()
def m0001_first(db: Database) -> None:
    """Users, their sessions, and the secrets of this box's page."""
    db.execute("CREATE TABLE secret (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT")
    db.execute(
        """
        CREATE TABLE user (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            name TEXT NOT NULL COLLATE NOCASE UNIQUE,
            password_hash TEXT NOT NULL,
            role TEXT NOT NULL,
            created_utc_ms INTEGER NOT NULL
        ) STRICT
        """
    )
    db.execute(
        """
        CREATE TABLE session (
            token_sha256 TEXT PRIMARY KEY,
            user_id INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
            created_utc_ms INTEGER NOT NULL,
            seen_utc_ms INTEGER NOT NULL,
            address TEXT NOT NULL,
            agent TEXT NOT NULL
        ) STRICT
        """
    )
    db.execute("CREATE INDEX session_user ON session (user_id)")


@migrations()
def m0002_people(db: Database) -> None:
    """Roles of one's own, departments, second factors, passkeys, tokens for programs, and the audit log."""
    db.executescript(
        """
        -- The preset roles are code; these are the ones that an admin made.
        CREATE TABLE role (
            name TEXT PRIMARY KEY COLLATE NOCASE,
            permissions TEXT NOT NULL,              -- JSON: names of permissions
            own_lines INTEGER NOT NULL              -- sees the calls of the lines assigned to her or her department
        ) STRICT;

        CREATE TABLE department (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            name TEXT NOT NULL COLLATE NOCASE UNIQUE
        ) STRICT;
        CREATE TABLE department_line (
            department_id INTEGER NOT NULL REFERENCES department (id) ON DELETE CASCADE,
            line TEXT NOT NULL,
            PRIMARY KEY (department_id, line)
        ) STRICT;
        CREATE TABLE user_line (
            user_id INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
            line TEXT NOT NULL,
            PRIMARY KEY (user_id, line)
        ) STRICT;

        ALTER TABLE user ADD COLUMN department_id INTEGER REFERENCES department (id) ON DELETE SET NULL;
        ALTER TABLE user ADD COLUMN disabled INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE user ADD COLUMN last_login_utc_ms INTEGER;
        ALTER TABLE user ADD COLUMN totp_secret TEXT;
        ALTER TABLE user ADD COLUMN totp_last_step INTEGER;

        CREATE TABLE recovery_code (
            user_id INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
            code_hash TEXT NOT NULL
        ) STRICT;
        CREATE INDEX recovery_code_user ON recovery_code (user_id);

        CREATE TABLE passkey (
            credential_id BLOB PRIMARY KEY,
            user_id INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
            public_key BLOB NOT NULL,
            sign_count INTEGER NOT NULL,
            host TEXT NOT NULL,
            name TEXT NOT NULL,
            created_utc_ms INTEGER NOT NULL,
            used_utc_ms INTEGER
        ) STRICT;
        CREATE INDEX passkey_user ON passkey (user_id);

        CREATE TABLE api_token (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            name TEXT NOT NULL,
            token_sha256 TEXT NOT NULL UNIQUE,
            user_id INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
            scopes TEXT NOT NULL,                   -- JSON: names of scopes
            created_utc_ms INTEGER NOT NULL,
            expires_utc_ms INTEGER,
            used_utc_ms INTEGER,
            used_address TEXT
        ) STRICT;

        -- Each entry's link hashes the one before: nothing can be changed or taken out without every later link
        -- being wrong.
        CREATE TABLE audit (
            n INTEGER PRIMARY KEY AUTOINCREMENT,
            at_utc_ms INTEGER NOT NULL,
            actor TEXT NOT NULL,
            address TEXT NOT NULL,
            action TEXT NOT NULL,
            object TEXT NOT NULL,
            detail TEXT NOT NULL,                   -- JSON
            link TEXT NOT NULL
        ) STRICT;
        CREATE INDEX audit_action ON audit (action, n);
        CREATE TRIGGER audit_never_changes BEFORE UPDATE ON audit
        BEGIN
            SELECT raise(ABORT, 'the audit log never changes');
        END;
        CREATE TRIGGER audit_stays BEFORE DELETE ON audit
        BEGIN
            SELECT raise(ABORT, 'the audit log never changes');
        END;

        -- How far the first-run wizard came, and what else the page must remember of the box.
        CREATE TABLE note (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
        """
    )


@migrations()
def m0003_views(db: Database) -> None:
    """Filters of the call list that a person keeps under a name."""
    db.execute(
        """
        CREATE TABLE view (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            user_id INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
            name TEXT NOT NULL COLLATE NOCASE,
            query TEXT NOT NULL,
            UNIQUE (user_id, name)
        ) STRICT
        """
    )
