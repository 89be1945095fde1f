"""Every line that ever was: its calls keep their label when the line is gone."""

from __future__ import annotations

from firmware.store.facts import LineKnown
from firmware.store.transaction import Transaction


def known(tx: Transaction, fact: LineKnown) -> None:
    """The settings name this line: the first time makes its row, later ones change what it says."""
    tx.execute(
        "INSERT INTO line (id, kind, driver, label, first_utc_ms, country) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, driver = excluded.driver, label = excluded.label, "
        "country = excluded.country",
        (fact.line, fact.kind.value, fact.driver, fact.label, fact.at.utc_ms, fact.country),
    )
