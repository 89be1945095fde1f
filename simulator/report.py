"""What a checked run shows a person: the call table, the ledger's balance, and what differs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from simulator.compare import Heard, Pairing


def show_calls(console: Console, pairing: Pairing, heard: list[Heard]) -> None:
    """One row per call of the street, with what the box has of it."""
    table = Table(title="Calls: what the street did, and what the box has")
    for column in ("#", "Line", "Direction", "Number", "Start", "Length", "Outcome", "Start off", "End off", "Voices"):
        table.add_column(column, justify="right" if column in ("#", "Length", "Start off", "End off") else "left")
    voices: dict[str, list[Heard]] = {}
    for one in heard:
        voices.setdefault(one.call, []).append(one)
    for n, pair in enumerate(sorted(pairing.pairs, key=lambda p: p.street.start_utc_ms), 1):
        street, box = pair.street, pair.box
        end = street.end_utc_ms or street.start_utc_ms
        off = "?" if box["ended_utc_ms"] is None else f"{box['ended_utc_ms'] - end:+d} ms"
        told = f"{street.outcome}" + "".join(f", {fault.kind}" for fault in street.faults)
        table.add_row(
            str(n),
            street.line,
            street.direction,
            street.number or street.presentation,
            datetime.fromtimestamp(street.start_utc_ms / 1000).strftime("%H:%M:%S"),
            f"{(end - street.start_utc_ms) / 1000:.1f} s",
            told if box["outcome"] == street.outcome else f"{told} [red](box: {box['outcome']})[/red]",
            f"{box['started_utc_ms'] - street.start_utc_ms:+d} ms",
            off,
            _voices(voices.get(street.id, [])),
        )
    console.print(table)


def _voices(heard: list[Heard]) -> str:
    wanted = [one for one in heard if one.wanted]
    if not wanted:
        return "-"
    best: dict[tuple[str, str, str], float] = {}
    for one in wanted:
        key = (one.file, one.role, one.prompt)
        best[key] = max(best.get(key, 0.0), one.match.score)
    unwanted = max((one.match.score for one in heard if not one.wanted), default=0.0)
    return f"{len({key[2] for key in best})} heard, worst {min(best.values()):.2f}, others ≤ {unwanted:.2f}"


def show_ledger(console: Console, ledger: dict[str, Any]) -> None:
    table = Table(title="Ledger")
    for name in ledger["balance"]:
        table.add_column(name, justify="right")
    table.add_column("balanced")
    table.add_row(*(str(count) for count in ledger["balance"].values()), "yes" if ledger["balanced"] else "NO")
    console.print(table)
    for fault in ledger["faults"]:
        text = fault["text"]
        console.print(f"  {fault['count']} x {fault['fault']}: {escape(text if isinstance(text, str) else text['en'])}")


def show_differences(console: Console, differences: list[str]) -> None:
    if not differences:
        console.print("[green]The box and the street tell the same story: nothing missing, nothing extra.[/green]")
        return
    console.print(f"[red]{len(differences)} differences:[/red]")
    for difference in differences:
        console.print(f"  - {escape(difference)}", highlight=False)
