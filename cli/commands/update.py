"""``offhook update``: updates of a box that runs from its own image."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from cli.context import Box, pass_box
from cli.exit_codes import ExitCode
from firmware import log
from firmware.update_wishes import Action, Phase, When, Wish, receive, status, wish

_NO_IMAGE = "this box does not run from an image of Offhook: it is updated with its packages (`make install`)"


@click.group()
def command() -> None:
    """Updates of a box that runs from its own image: signed, into the slot that does not run."""


@command.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document for machines.")
@pass_box
def show(box: Box, as_json: bool) -> None:
    """Which version runs, and how far the last update is."""
    found = status(box.data)
    if found is None:
        click.echo(_NO_IMAGE, err=True)
        sys.exit(ExitCode.NOT_RUNNING)
    if as_json:
        click.echo(json.dumps(asdict(found), ensure_ascii=False))
    else:
        click.echo(f"version {found.version} in slot {found.slot}")
        click.echo(f"{found.phase}: {found.text['en']}")
    ended_badly = found.phase in {Phase.REFUSED, Phase.FAILED, Phase.ROLLED_BACK}
    sys.exit(ExitCode.SOMETHING_IS_WRONG if ended_badly else ExitCode.WELL)


@command.command()
@click.argument("bundle", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--now", is_flag=True, help="Refuse when a line is in a call, instead of waiting for quiet.")
@click.option("--allow-downgrade", is_flag=True, help="Also install a version that is older than the one that runs.")
@pass_box
def install(box: Box, bundle: Path, now: bool, allow_downgrade: bool) -> None:
    """Install BUNDLE (a .raucb file) and restart into it, once no line is in a call."""
    if status(box.data) is None:
        click.echo(_NO_IMAGE, err=True)
        sys.exit(ExitCode.NOT_RUNNING)
    try:
        with bundle.open("rb") as stream:
            name = receive(box.data, bundle.name, stream)
        made = wish(
            box.run_dir,
            Wish(Action.INSTALL, "cli", name, When.NOW if now else When.QUIET, allow_downgrade=allow_downgrade),
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    click.echo(f"asked for, as {made}; `offhook update status` tells how far it is")


@command.command()
@pass_box
def cancel(box: Box) -> None:
    """Forget an update that waits for quiet."""
    wish(box.run_dir, Wish(Action.CANCEL, "cli"))


@command.command()
@pass_box
def back(box: Box) -> None:
    """Restart into the other slot's version, once no line is in a call."""
    wish(box.run_dir, Wish(Action.BACK, "cli"))


@command.command(hidden=True)
@pass_box
def serve(box: Box) -> None:
    """Works through the wishes that are there (offhook-update.service runs this, as root)."""
    from appliance import machine  # noqa: PLC0415 - on an image only
    from appliance.rauc import Rauc  # noqa: PLC0415
    from appliance.update import Updater, recorder_is_quiet  # noqa: PLC0415

    log.set_up("offhook-update")
    Updater(
        box.data,
        box.run_dir,
        rauc=Rauc(),
        version=machine.version(),
        slot=machine.slot(),
        quiet=lambda: recorder_is_quiet(box.run_dir),
        restart=machine.restart,
    ).serve()


@command.command(hidden=True)
@click.option("--page", default="https://127.0.0.1/", show_default=True, help="Where the page must answer.")
@pass_box
def prove(box: Box, page: str) -> None:
    """After a start: marks the running slot good once it has proved itself (offhook-prove.service, as root)."""
    from appliance import machine, proof  # noqa: PLC0415 - on an image only
    from appliance.rauc import Rauc  # noqa: PLC0415

    log.set_up("offhook-prove")
    checks = [
        lambda: proof.recorder_answers(box.run_dir),
        lambda: proof.database_is_sound(box.data),
        lambda: proof.page_answers(page),
    ]
    prover = proof.Prover(
        box.data,
        rauc=Rauc(),
        version=machine.version(),
        slot=machine.slot(),
        checks=checks,
        restart=machine.restart,
    )
    click.echo("good" if prover.run() else "not proved; the journal says why")


@command.command("from-usb", hidden=True)
@click.argument("device")
@pass_box
def from_usb(box: Box, device: str) -> None:
    """Takes the newest update from a USB stick (udev starts this)."""
    from appliance import machine, usb  # noqa: PLC0415 - on an image only

    log.set_up("offhook-update")
    click.echo(usb.take_from(device, box.data, box.run_dir, running=machine.version()))


@command.command("from-cloud", hidden=True)
@click.option("--wishes", default="/run/offhook-sync", type=click.Path(path_type=Path), show_default=True)
@pass_box
def from_cloud(box: Box, wishes: Path) -> None:
    """Works through the cloud's wishes (offhook-update-cloud.service runs this, as the sync process's user)."""
    from appliance import cloud, machine  # noqa: PLC0415 - on an image only

    log.set_up("offhook-update")
    for line in cloud.serve(box.data, box.run_dir, wishes, running=machine.version()):
        click.echo(line)
