"""``offhook selftest``: one test call on a simulated line of the kernel's own, recorded and read back."""

from __future__ import annotations

import json
from dataclasses import asdict

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document for machines.")
def command(as_json: bool) -> None:
    """Record one test call beside everything else and read it back (root; gpio-sim and snd-aloop in the kernel)."""
    from appliance import self_test  # noqa: PLC0415 - numpy and sound, for this command only

    result = self_test.run()
    if as_json:
        click.echo(json.dumps(asdict(result)))
    else:
        click.echo(f"recorded {result.recorded_s} s, {result.heard_s} s of it as played, at {result.level_dbfs} dBFS")
