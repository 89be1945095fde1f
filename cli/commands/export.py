"""``offhook export``: recordings and a list of calls, copied to a folder (a USB stick) and compared."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import click

from cli.context import Box, pass_box
from cli.exit_codes import ExitCode
from cli.export import copy_recording, free_space_fault, sealed_recordings, write_call_list
from cli.printing import json_option, print_json, progress
from cli.reading import ISO, period, reading, zone_of
from firmware.store.queries import list_calls


@click.command()
@click.option("--to", "folder", required=True, type=click.Path(file_okay=False, path_type=Path), help="Copy to here.")
@click.option("--since", type=ISO, help="Calls that started then or later.")
@click.option("--until", type=ISO, help="Calls that started before.")
@click.option("--line", help="Calls on this line only.")
@json_option
@pass_box
def command(
    box: Box, *, folder: Path, since: datetime | None, until: datetime | None, line: str | None, as_json: bool
) -> None:
    """Copies FLAC recordings and writes calls.csv. Files that are there already and equal are not copied again.

    Exit code 1 when a recording could not be copied, or is not what was recorded.
    """
    with reading(box) as db:
        zone = zone_of(db)
        calls = list_calls(db, period=period(since, until, zone), line=line)
    recordings = sealed_recordings(calls)
    folder.mkdir(parents=True, exist_ok=True)
    faults = free_space_fault(box.data, folder, recordings)
    copied = copied_bytes = 0
    if not faults:
        with progress() as bar:
            for recording in bar.track(recordings, description="Copying"):
                size, fault = copy_recording(box.data, folder, recording)
                if fault:
                    faults.append(fault)
                else:
                    copied += 1
                    copied_bytes += size
        write_call_list(folder / "calls.csv", calls, zone)
    if as_json:
        print_json({"calls": len(calls), "files": copied, "bytes": copied_bytes})
    else:
        click.echo(f"{len(calls)} calls, {copied} recordings, {copied_bytes / 1e6:.1f} MB in {folder}")
    for fault in faults:
        click.echo(fault, err=True)
    if faults:
        sys.exit(ExitCode.SOMETHING_IS_WRONG)
