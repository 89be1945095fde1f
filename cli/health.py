"""``offhook lines health``: what the last calls tell of the analog lines they came over."""

from __future__ import annotations

import click

from cli.context import Box, pass_box
from cli.printing import json_option, print_json, print_table
from cli.reading import reading
from firmware.store.line_health import line_health
from firmware.store.transaction import Row

_HUM_DBFS = -45.0
_CLIPPED_SHARE = 0.001
_QUIET_SPEECH_DBFS = -42.0
_FALLEN_V = 5.0
"""Of the newer calls against the older ones."""


@click.command("health")
@click.argument("line", required=False)
@click.option("--calls", default=20, show_default=True, type=click.IntRange(1, 1000), help="Calls looked back on.")
@json_option
@pass_box
def command(box: Box, line: str | None, calls: int, as_json: bool) -> None:
    """Hum, noise, speech level, clipping, ring period and missing caller IDs, from real calls."""
    with reading(box) as db:
        lines = line_health(db, line=line, calls=calls)
    if as_json:
        print_json({"lines": lines})
        return
    print_table(
        "Lines, over their last calls",
        [
            "Line",
            "Calls",
            "Hum 50 Hz",
            "Hum 60 Hz",
            "Noise",
            "Speech",
            "On hook",
            "Off hook",
            "Ring period",
            "No caller ID",
            "Remarks",
        ],
        [_row(health) for health in lines],
    )


def _row(health: Row) -> tuple[object, ...]:
    trend = health["trend"]

    def level(name: str, unit: str = "dBFS") -> str:
        median, change = trend[name]["median"], trend[name]["change"]
        if median is None:
            return "-"
        return f"{median:g} {unit}" + (f" ({change:+g})" if change else "")

    period = health["ring_period_ms"]
    return (
        health["line"],
        len(health["calls"]),
        level("hum_50_dbfs"),
        level("hum_60_dbfs"),
        level("noise_dbfs"),
        level("speech_dbfs"),
        level("on_hook_v", "V"),
        level("off_hook_v", "V"),
        "-" if period is None else f"{period / 1000:.1f} s",
        f"{health['without_caller_id']} of {health['incoming']}",
        "; ".join(_remarks(health)),
    )


def _remarks(health: Row) -> list[str]:
    remarks = []
    for mains in (50, 60):
        hum = health["trend"][f"hum_{mains}_dbfs"]["median"]
        if hum is not None and hum > _HUM_DBFS:
            remarks.append(f"hums at {mains} Hz: check the tap's ground and cable")
    clipped = [call["clipped_share"] for call in health["calls"] if call["clipped_share"] is not None]
    if clipped and max(clipped) > _CLIPPED_SHARE:
        remarks.append("clips: turn the sound card's capture level down")
    speech = health["trend"]["speech_dbfs"]["median"]
    if speech is not None and speech < _QUIET_SPEECH_DBFS:
        remarks.append("very quiet: turn the capture level up")
    battery = health["trend"]["on_hook_v"]
    if battery["change"] is not None and battery["change"] <= -_FALLEN_V:
        remarks.append("its voltage falls: a wet cable or a failing exchange battery; tell the operator")
    if health["incoming"] >= 4 and health["without_caller_id"] * 2 > health["incoming"]:
        remarks.append("callers are seldom known: is caller ID ordered, and the country right?")
    return remarks
