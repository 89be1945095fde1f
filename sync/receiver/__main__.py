"""``python -m sync.receiver``: runs the cloud side, looks after it, and shows what has come."""

from __future__ import annotations

import json
import sys
import time
import uuid
from pathlib import Path
from typing import TextIO

import click
from rich.console import Console
from rich.progress import Progress

from firmware.errors import OffhookError
from sync import topics
from sync.receiver import wishes
from sync.receiver.opening import open_storage, opener
from sync.receiver.settings import Settings, load
from sync.receiver.verify import verify as verify_kept

_HOUR_MS = 3_600_000


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="A TOML file.")
@click.pass_context
def receiver(ctx: click.Context, config: Path | None) -> None:
    """Takes calls and recordings of many boxes over MQTT, and keeps each exactly once.

    Settings come from the file and from the environment, for example OFFHOOK_RECEIVER_STORAGE_DATA. Exit codes: 0 done
    and well, 1 done and something is wrong, 2 wrong use, 4 refused.
    """
    ctx.obj = load(config)


@receiver.command()
@click.pass_obj
def run(settings: Settings) -> None:
    """Receives until stopped."""
    from sync.receiver.service import main  # noqa: PLC0415 - paho, for this command only

    sys.exit(main(settings))


@receiver.command()
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_obj
def verify(settings: Settings, *, as_json: bool) -> None:
    """Hashes every stored file again, holds it against the records, and lists records that did not come."""
    with Progress(console=Console(stderr=True), transient=True, disable=as_json) as bar:
        task = bar.add_task("hashing", total=None)
        with opener(settings)() as kept:
            verdict = verify_kept(kept, progress_made=lambda done, total: bar.update(task, completed=done, total=total))
    if as_json:
        document = {
            "ok": not verdict.findings,
            "files": verdict.files,
            "bytes": verdict.bytes,
            "records": verdict.records,
            "unfinished": verdict.unfinished,
            "findings": [
                {"code": one.code, "subject": one.subject, "message": one.message} for one in verdict.findings
            ],
        }
        click.echo(json.dumps(document))
    else:
        click.echo(
            f"{verdict.files} files ({verdict.bytes / 1e6:.1f} MB) hashed, {verdict.records} records counted, "
            f"{verdict.unfinished} files still on their way"
        )
        for one in verdict.findings:
            click.echo(f"{one.code:12} {one.subject}: {one.message}")
    sys.exit(1 if verdict.findings else 0)


@receiver.command()
@click.pass_obj
def restored(settings: Settings) -> None:
    """Run it once after a backup was put back, with the receiver stopped: boxes then send again what is missing."""
    storage = open_storage(settings)
    try:
        click.echo(f"The store's new epoch is {storage.new_epoch()}")
    finally:
        storage.close()


@receiver.command()
@click.argument("dev")
@click.argument("op")
@click.option("--args", "arguments", default="{}", help="A JSON object.")
@click.option("--hours", default=24.0, show_default=True, type=click.FloatRange(min=0), help="Not after.")
@click.pass_obj
def command(settings: Settings, dev: str, op: str, *, arguments: str, hours: float) -> None:
    """Asks the box DEV to do OP (sync.now, sync.pause, file.request, reboot, ...) once."""
    try:
        parsed = json.loads(arguments)
    except ValueError as error:
        raise click.BadParameter(f"--args is not JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise click.BadParameter("--args is not a JSON object")
    now_ms = time.time_ns() // 1_000_000
    wish = wishes.Wish(
        id=uuid.uuid4().hex, dev=topics.device(dev), op=op, args=parsed, not_after_ms=now_ms + int(hours * _HOUR_MS)
    )
    with opener(settings)() as kept:
        wishes.add_command(kept.rows, wish, made_ms=now_ms)
    click.echo(wish.id)


@receiver.command()
@click.argument("dev")
@click.argument("document", type=click.File("r", encoding="utf-8"))
@click.pass_obj
def desired(settings: Settings, dev: str, document: TextIO) -> None:
    """Wishes for the settings in the TOML file DOCUMENT on the box DEV, which applies them or says why not."""
    with opener(settings)() as kept:
        version = wishes.set_desired(kept.rows, topics.device(dev), document.read(), set_ms=time.time_ns() // 1_000_000)
    click.echo(f"version {version}")


@receiver.command()
@click.argument("wish")
@click.pass_obj
def told(settings: Settings, wish: str) -> None:
    """Shows how far the command WISH (the id that `command` printed) has come, and what its box answered."""
    with opener(settings)() as kept:
        found = wishes.told(kept.rows, wish)
    if found is None:
        raise click.BadParameter(f"nobody asked for {wish}")
    click.echo(f"{found[0]}  {found[1] or ''}".rstrip())


@receiver.command()
@click.argument("name")
@click.pass_obj
def token(settings: Settings, name: str) -> None:
    """Prints a new token for a program that reads the REST API; it is shown only now."""
    from sync.receiver.console.accounts import Accounts  # noqa: PLC0415 - for this command only

    accounts = Accounts(settings.storage.data)
    try:
        click.echo(accounts.make_token(name))
    finally:
        accounts.close()


@receiver.command()
@click.pass_obj
def console(settings: Settings) -> None:
    """Serves the read-only page and its REST API until stopped."""
    from sync.receiver.console.serve import main  # noqa: PLC0415 - Flask, for this command only

    main(settings)


def main() -> None:
    """What went wrong goes to stderr as one message."""
    try:
        receiver(prog_name="python -m sync.receiver")
    except OffhookError as error:
        click.echo(f"receiver: {error}", err=True)
        sys.exit(4)


if __name__ == "__main__":
    main()
