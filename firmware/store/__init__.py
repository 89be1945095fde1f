"""SQLite: schema, calls, ledger, alarms and the outbox, behind one write thread."""
