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
