"""``offhook demo``: the whole box with a simulated street outside."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command()
@click.option("--once", is_flag=True, help="Play the calls once, check everything, and end.")
@click.option("--calls", default=24, show_default=True, type=click.IntRange(1, 500), help="How many calls in a round.")
@click.option("--seed", default=1, show_default=True, help="The same seed plays the same calls.")
@click.option("--scenario", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="Play and check this.")
@click.option("--dir", "folder", type=click.Path(path_type=Path, file_okay=False), help="Keep everything here.")
@click.option("--keep", is_flag=True, help="Keep the temporary folder.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(1, 65535), help="The page's port.")
@click.option("--no-web", is_flag=True, help="Without the page.")
@click.option("--cloud/--no-cloud", default=True, help="With a broker and a receiver here, where the calls end.")
@click.option("--country", default="CN", show_default=True, help="The exchange's tones and ring cadence.")
@click.option(
    "--modules",
    default="sim7600,sim7600",
    show_default=True,
    help="The street's SIM modules: sim7600, a7670, sim800, ec25, m95 or huawei, with commas.",
)
@click.option("--no-boards", is_flag=True, help="Without the two analog lines.")
def command(
    *,
    once: bool,
    calls: int,
    seed: int,
    scenario: Path | None,
    folder: Path | None,
    keep: bool,
    port: int,
    no_web: bool,
    cloud: bool,
    country: str,
    modules: str,
    no_boards: bool,
) -> None:
    """Runs the box with two analog lines and two SIM modules and lets people call.

    On a Raspberry Pi the lines that are attached are used, and the street plays only what is missing. With --once the
    exit code is 0 only when the call list, the ledger and the recordings tell exactly what the street did.
    """
    from simulator.demo import Wishes, run  # noqa: PLC0415 - numpy and sound, for this command only

    wishes = Wishes(
        once=once,
        calls=calls,
        seed=seed,
        script=scenario,
        folder=folder,
        keep=keep,
        port=port,
        page=not no_web,
        cloud=cloud,
        country=country,
        modules=tuple(name for name in modules.split(",") if name),
        boards=not no_boards,
    )
    sys.exit(0 if run(wishes) else 1)
