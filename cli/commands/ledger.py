"""``offhook ledger``: what became of everything that happened on the lines."""

from __future__ import annotations

import sys
from datetime import datetime

import click

from cli.context import Box, pass_box
from cli.exit_codes import ExitCode
from cli.printing import in_my_language, json_option, local_time, print_json, print_table
from cli.reading import ISO, period, reading, zone_of
from firmware.store import queries

_WHAT = {
    "call": "belong to a call",
    "missed": "belong to a missed call",
    "fault": "are a named fault",
    "open": "belong to a call that has not ended",
    "unexplained": "are unexplained",
}


@click.command()
@click.option("--since", type=ISO, help="Events from then on.")
@click.option("--until", type=ISO, help="Events before.")
@click.option("--entries", is_flag=True, help="List every event too.")
@json_option
@pass_box
def command(box: Box, since: datetime | None, until: datetime | None, entries: bool, as_json: bool) -> None:
    """Prints the balance: every ring, hook change and module event is a call, a missed call, or a named fault.

    Exit code 1 when something is unexplained.
    """
    with reading(box) as db:
        zone = zone_of(db)
        ledger = queries.ledger(db, period=period(since, until, zone))
    if as_json:
        print_json(ledger)
    else:
        total = sum(ledger["balance"].values())
        print_table(
            f"Ledger: {total} events",
            ["Events", "What became of them"],
            [(count, _WHAT[disposition]) for disposition, count in ledger["balance"].items()],
        )
        if ledger["faults"]:
            click.echo()
            print_table(
                "Named faults",
                ["Count", "Fault", "Meaning"],
                [(f["count"], f["fault"], in_my_language(f["text"])) for f in ledger["faults"]],
            )
        if entries:
            click.echo()
            print_table(
                "Events",
                ["At", "Line", "Event", "Became", "Call or fault", "Detail"],
                [
                    (
                        local_time(entry["at_utc_ms"], zone),
                        entry["line"],
                        entry["kind"],
                        entry["disposition"],
                        entry["call_id"] or entry["fault"],
                        entry["detail"],
                    )
                    for entry in ledger["entries"]
                ],
            )
        click.echo("\nThe ledger balances." if ledger["balanced"] else "\nTHE LEDGER DOES NOT BALANCE.")
    if not ledger["balanced"]:
        sys.exit(ExitCode.SOMETHING_IS_WRONG)
