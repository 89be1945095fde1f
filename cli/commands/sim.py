"""``offhook sim``: the SIM cards, their network, messages, balance and minutes."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any

import click

from cli.context import Box, pass_box
from cli.exit_codes import ExitCode
from cli.printing import json_option, length, local_time, print_json, print_table
from cli.reading import reading, zone_of
from firmware.ipc.client import RecorderClient
from firmware.store import sims

_VOICE = {
    "circuit": "2G/3G",
    "volte": "VoLTE",
    "csfb": "LTE, calls over 2G/3G",
    "none": "WILL NOT RING",
    "unknown": "not known yet",
}
_PLENTY_S = 70.0


@click.group()
def command() -> None:
    """SIM cards: state, PIN, codes, messages and minutes."""


@command.command()
@json_option
@pass_box
def status(box: Box, as_json: bool) -> None:
    """Shows each SIM card: is it ready, where is it registered, and would it ring? Exit code 1 when one would not."""
    with box.client() as client:
        found: list[dict[str, Any]] = client.request("sim.status")["sims"]
    if as_json:
        print_json({"sims": found})
    else:
        print_table(
            "SIM cards",
            ["Line", "Card", "Own number", "Operator", "Voice", "Signal", "Radio", "Tries", "PIN kept", "Module"],
            [
                (
                    sim["line"],
                    (sim["sim"] or "not known yet").lower(),
                    sim["own_number"],
                    sim["operator"],
                    _VOICE.get(sim["voice"], sim["voice"]),
                    f"{sim['signal_dbm']} dBm" if sim["signal_dbm"] is not None else "",
                    sim["radio"],
                    "" if sim["pin_tries"] is None else f"{sim['pin_tries']} PIN, {_or_unknown(sim['puk_tries'])} PUK",
                    "yes" if sim["pin_known"] else "",
                    sim["imei"],
                )
                for sim in found
            ],
        )
    if any(sim["voice"] == "none" or sim["sim"] not in (None, "READY") for sim in found):
        sys.exit(ExitCode.SOMETHING_IS_WRONG)


@command.command()
@click.argument("line")
@click.option("--forget", is_flag=True, help="The box forgets the PIN it keeps.")
@pass_box
def pin(box: Box, line: str, forget: bool) -> None:
    """Keeps the PIN of the card in LINE, encrypted, and uses it. It is asked for, never given on the command line."""
    with box.client() as client:
        if forget:
            client.request("sim.pin.forget", line=line)
            click.echo(f"The box keeps no PIN for {line} any more.")
            return
        secret = click.prompt("PIN", hide_input=True)
        client.request("sim.pin", line=line, pin=secret)
    click.echo("The PIN is kept; it is used as soon as the card wants it. See: offhook sim status")


@command.command()
@click.argument("line")
@pass_box
def unblock(box: Box, line: str) -> None:
    """Gives the blocked card in LINE its PUK and a new PIN. Ten wrong PUKs make a card useless."""
    puk = click.prompt("PUK (8 digits, from the operator)", hide_input=True)
    new_pin = click.prompt("New PIN", hide_input=True, confirmation_prompt=True)
    with _patient(box) as client:
        client.request("sim.unblock", line=line, puk=puk, pin=new_pin)
    click.echo("The card is unblocked, and the new PIN is kept.")


@command.command()
@click.argument("line")
@click.argument("code")
@json_option
@pass_box
def ussd(box: Box, line: str, code: str, as_json: bool) -> None:
    """Sends CODE (as *100#) and shows the network's answer: mostly the balance."""
    with _patient(box) as client:
        answer = client.request("sim.ussd", line=line, code=code)
    if as_json:
        print_json(answer)
    else:
        click.echo(answer["text"])


@command.group()
def sms() -> None:
    """Short messages, in and out."""


@sms.command()
@click.argument("line")
@click.argument("number")
@click.argument("text")
@pass_box
def send(box: Box, line: str, number: str, text: str) -> None:
    """Sends TEXT to NUMBER over the card in LINE."""
    with _patient(box) as client:
        sent = client.request("sim.sms.send", line=line, number=number, text=text)
    click.echo(f"Sent, in {sent['parts']} part(s).")


@sms.command("list")
@click.option("--line", help="Messages of this line only.")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True)
@json_option
@pass_box
def list_messages(box: Box, line: str | None, limit: int, as_json: bool) -> None:
    """Lists messages, newest first."""
    with reading(box) as db:
        zone = zone_of(db)
        found = sims.messages(db, line=line, limit=limit)
    if as_json:
        print_json({"messages": found})
        return
    print_table(
        "Messages",
        ["When", "Line", "State", "Number", "Text"],
        [(local_time(m["at_utc_ms"], zone), m["line"], m["state"], m["number"], m["text"]) for m in found],
    )


@command.command()
@click.argument("line")
@click.option("--days", type=click.IntRange(1, sims.KEEP_SIGNAL_DAYS), default=1, show_default=True)
@json_option
@pass_box
def signal(box: Box, line: str, days: int, as_json: bool) -> None:
    """Shows how signal and registration were."""
    since_ms = round(datetime.now(UTC).timestamp() * 1000) - days * 86_400_000
    with reading(box) as db:
        zone = zone_of(db)
        points = sims.signal_history(db, line=line, since_utc_ms=since_ms)
    if as_json:
        print_json({"points": points})
        return
    print_table(
        f"Signal of {line}",
        ["When", "Signal", "Radio", "Operator", "Voice"],
        [
            (
                local_time(p["at_utc_ms"], zone),
                "" if p["dbm"] is None else f"{p['dbm']} dBm",
                p["radio"],
                p["operator"],
                _VOICE.get(p["voice"], p["voice"]),
            )
            for p in points
        ],
    )


@command.command()
@click.argument("line")
@json_option
@pass_box
def minutes(box: Box, line: str, as_json: bool) -> None:
    """Shows how much of the plan of LINE is used, left, and forecast. Exit code 1 when it will not last."""
    with box.client() as client:
        used: dict[str, Any] | None = client.request("sim.minutes", line=line)["minutes"]
    if used is None:
        raise click.UsageError(f"line {line} has no plan: add [lines.plan] to it in the settings")
    if as_json:
        print_json({"minutes": used})
    else:
        with reading(box) as db:
            zone = zone_of(db)
        click.echo(
            f"From {local_time(used['period_begins_utc_ms'], zone)} to {local_time(used['period_ends_utc_ms'], zone)}:"
        )
        click.echo(f"  used      {length(used['used_s'] * 1000)} in {used['calls']} calls ({used['free_calls']} free)")
        if used["included_s"] is not None:
            click.echo(f"  left      {length(used['left_s'] * 1000)} of {length(used['included_s'] * 1000)}")
        click.echo(f"  forecast  {length(used['forecast_s'] * 1000)} by the end of the period")
        if used["will_run_out"]:
            click.echo("  At this pace the minutes will not last.")
    if used["will_run_out"]:
        sys.exit(ExitCode.SOMETHING_IS_WRONG)


def _patient(box: Box) -> RecorderClient:
    """The network takes its time."""
    return RecorderClient(box.socket, deadline_s=_PLENTY_S)


def _or_unknown(value: object) -> object:
    return "?" if value is None else value
