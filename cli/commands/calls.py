"""``offhook calls``: the call list."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from cli.context import Box, pass_box
from cli.printing import in_my_language, json_option, length, local_time, print_json, print_table
from cli.reading import ISO, period, reading, zone_of
from firmware.store.queries import list_calls

_SHOWN_TO_PEOPLE = 50


@click.command()
@click.option("--since", type=ISO, help="Calls that started then or later.")
@click.option("--until", type=ISO, help="Calls that started before.")
@click.option("--line", help="Calls on this line only.")
@click.option("--limit", type=click.IntRange(min=1), help=f"At most so many ({_SHOWN_TO_PEOPLE} in a table).")
@json_option
@pass_box
def command(
    box: Box, *, since: datetime | None, until: datetime | None, line: str | None, limit: int | None, as_json: bool
) -> None:
    """Lists calls, newest first."""
    with reading(box) as db:
        zone = zone_of(db)
        at_most = limit if as_json else (limit or _SHOWN_TO_PEOPLE) + 1
        calls = list_calls(db, period=period(since, until, zone), line=line, limit=at_most)
    if as_json:
        print_json({"calls": calls})
        return
    shown = limit or _SHOWN_TO_PEOPLE
    print_table(
        "Calls",
        ["Started", "Line", "Direction", "Number", "Outcome", "Length", "Sound", "Note"],
        [
            (
                local_time(call["started_utc_ms"], zone),
                call["line"],
                call["direction"],
                _who(call),
                call["outcome"] or call["status"],
                length(_length_ms(call)),
                _sound(call),
                in_my_language(call["note"]),
            )
            for call in calls[:shown]
        ],
    )
    if len(calls) > shown:
        click.echo(f"There are more; see them with --limit {shown * 4} or --since.")


def _who(call: dict[str, Any]) -> str:
    known = " ".join(part for part in (call["number"], call["name"]) if part)
    return known or (call["presentation"] if call["presentation"] in ("withheld", "unavailable") else "")


def _length_ms(call: dict[str, Any]) -> int | None:
    start = call["answered_utc_ms"] or call["started_utc_ms"]
    return call["ended_utc_ms"] - start if call["ended_utc_ms"] is not None else None


def _sound(call: dict[str, Any]) -> str:
    states = [recording["status"] for recording in call["recordings"]]
    return ", ".join(states)
