"""``offhook verify``: whether something that a box has signed is as the box signed it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import click

from cli.context import Box, pass_box
from cli.exit_codes import ExitCode
from cli.printing import json_option, print_json
from fieldtest import signed
from fieldtest.signed import Verified, VerifyError
from firmware.errors import OffhookError

VERIFIERS: tuple[tuple[Callable[[bytes], bool], Callable[[bytes], Verified]], ...] = (
    (signed.is_pdf, signed.verify_pdf),
    (signed.is_json, signed.verify_json),
)
"""What recognises a type of file, and what verifies it. Another signed thing is one line here."""


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--key", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The box's public key (PEM).")
@click.option("--fingerprint", help="The fingerprint of the box's key, as an earlier certificate shows it.")
@json_option
@pass_box
def command(box: Box, *, file: Path, key: Path | None, fingerprint: str | None, as_json: bool) -> None:
    """Verifies FILE, and that the key is the one of the box that it names.

    On the box itself the key is compared by itself; elsewhere give --key or --fingerprint. Exit code 1 when the
    signature is wrong or the key was not compared.
    """
    verified = _verified(file)
    known = _known_fingerprint(box, verified, key, fingerprint)
    same = known is not None and _bare(known) == _bare(verified.fingerprint)
    if as_json:
        print_json(
            {
                "type": verified.type,
                "device_id": verified.device_id,
                "fingerprint": verified.fingerprint,
                "key_is_known": same,
                "certificate": verified.document,
            }
        )
    else:
        click.echo(f"{file.name}: as {verified.device_id} signed it ({verified.type}).")
        click.echo(f"Key: {verified.fingerprint}")
        if known is None:
            click.echo("Nobody here knows this key: give --key or --fingerprint, or verify it on the box itself.")
        elif not same:
            click.echo(f"This is NOT the key of that box, which is {known}: do not trust it.")
        else:
            click.echo("It is the key of that box.")
    if not same:
        sys.exit(ExitCode.SOMETHING_IS_WRONG)


def _verified(file: Path) -> Verified:
    content = file.read_bytes()
    for recognises, verifies in VERIFIERS:
        if recognises(content):
            return verifies(content)
    raise VerifyError(f"{file} is nothing that a box signs: a field test's certificate (JSON or PDF) is expected")


def _known_fingerprint(box: Box, verified: Verified, key: Path | None, fingerprint: str | None) -> str | None:
    if fingerprint is not None:
        return fingerprint
    if key is not None:
        return signed.fingerprint(key.read_text(encoding="ascii", errors="replace"))
    try:
        with box.client() as client:
            about = client.request("identity.public")
    except OffhookError:
        return None
    return signed.fingerprint(about["public_key"]) if about["device_id"] == verified.device_id else None


def _bare(fingerprint: str) -> str:
    return "".join(fingerprint.split()).lower()
