"""What a fleet of boxes asks of a cloud, hour by hour, what is full first, and what a box costs a month.

`python -m bench.fleet [--inputs FILE]`: a day of calls is played minute by minute from the inputs in `bench/fleet.toml`
(with dated prices), for three ways of sending audio. No network and no database: what one machine does is an input,
measured by `bench/receiver.py` where the file says so.
"""

from __future__ import annotations

import argparse
import math
import random
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MINUTES = 1440


@dataclass(frozen=True)
class Way:
    """How audio reaches the object store."""

    name: str
    codec: str
    staged: bool
    """Through broker, receivers and PostgreSQL; else the box puts it into the object store itself."""


WAYS = (
    Way("FLAC over MQTT", "flac", True),
    Way("Opus over MQTT", "opus", True),
    Way("FLAC by S3 from the box", "flac", False),
)


@dataclass
class Minute:
    """What arrives in one minute."""

    calls: int = 0
    audio_bytes: float = 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=Path, default=Path(__file__).with_suffix(".toml"))
    parser.add_argument("--seed", type=int, default=1)
    wishes = parser.parse_args()
    inputs = tomllib.loads(wishes.inputs.read_text())
    fleet, prices = inputs["fleet"], inputs["prices"]
    print(
        f"{fleet['boxes']:,} boxes, {fleet['calls_per_box_and_day']} calls a day each, prices in {prices['currency']} "
        f"as of {prices['as_of']} (an input, {wishes.inputs.name})\n"
    )
    for way in WAYS:
        day = play(inputs, way, random.Random(wishes.seed))
        _report(inputs, way, day)
    _storm(inputs, random.Random(wishes.seed))


def play(inputs: dict[str, Any], way: Way, rng: random.Random) -> list[Minute]:
    """A day: calls begin by the hours of the office, at random within them, and their audio follows when they end."""
    fleet = inputs["fleet"]
    weights = [hour / sum(fleet["hours"]) for hour in fleet["hours"]]
    day = [Minute() for _ in range(MINUTES)]
    total = fleet["boxes"] * fleet["calls_per_box_and_day"]
    for minute, one in enumerate(day):
        expected = total * weights[minute // 60] / 60
        one.calls = max(0, round(rng.gauss(expected, math.sqrt(expected))))  # a Poisson count of this size
    per_call = fleet["talk_s"] * inputs["audio"][way.codec]
    for minute, one in enumerate(day):
        day[(minute + fleet["talk_s"] // 60) % MINUTES].audio_bytes += one.calls * fleet["recorded"] * per_call
    return day


def _report(inputs: dict[str, Any], way: Way, day: list[Minute]) -> None:
    capacity = inputs["capacity"]
    peak = max(range(MINUTES), key=lambda n: day[n].audio_bytes)
    demands = _demands(inputs, way, day[peak])
    print(f"== {way.name}")
    gb_a_day = sum(one.audio_bytes for one in day) / 1e9
    print(
        f"   {gb_a_day:,.0f} GB a day; the busiest minute is {peak // 60:02}:{peak % 60:02}: "
        f"{day[peak].calls / 60:,.0f} calls/s, {day[peak].audio_bytes / 60 / 1e6:,.0f} MB/s of audio"
    )
    needed: dict[str, int] = {}
    for what, (demand, one_does, unit) in demands.items():
        count = max(1, math.ceil(demand / (one_does * capacity["utilisation"])))
        kind = what.partition(":")[0]
        needed[kind] = max(needed.get(kind, 1), count)
        print(f"   {what:28} {demand:12,.1f} {unit:14} one does {one_does:10,.0f}: {count:4d} needed")
    first = max(demands, key=lambda what: demands[what][0] / demands[what][1])
    share = demands[first][0] / demands[first][1]
    print(
        f"   full first: {first} ({share:.1f} times what one does; a cell of {_cell(inputs, share):,} boxes fills it)"
    )
    _costs(inputs, day, needed)


def _demands(inputs: dict[str, Any], way: Way, minute: Minute) -> dict[str, tuple[float, float, str]]:
    """What is asked for a second, what one machine does, and the unit."""
    fleet, wire, capacity = inputs["fleet"], inputs["wire"], inputs["capacity"]
    calls, audio = minute.calls / 60, minute.audio_bytes / 60
    staged = audio if way.staged else 0.0
    records = calls * fleet["records_per_call"]
    files = calls * fleet["recorded"]
    chunks = staged / wire["chunk_bytes"]
    messages = records + chunks + (2 * files if way.staged else 0)
    answers = messages / 2  # acknowledgements are gathered
    pings = 2 * fleet["boxes"] / fleet["keepalive_s"]
    cores = staged / 1e6 * capacity["receiver_ms_per_mb"] / 1000 + records * capacity["receiver_ms_per_record"] / 1000
    wal = staged * capacity["wal_per_staged_byte"] + records * capacity["wal_per_record"]
    commits = (records + chunks) / capacity["records_per_commit"] + (files if way.staged else 0)
    return {
        "broker: messages": (2 * messages + 2 * answers + pings, capacity["broker_messages_per_s"], "messages/s"),
        "broker: connections": (fleet["boxes"], capacity["broker_connections"], "connections"),
        "receiver: CPU": (cores, capacity["receiver_cores"], "cores"),
        "postgres: WAL": (wal / 1e6, capacity["postgres_wal_mb_per_s"], "MB/s"),
        "postgres: commits": (commits, capacity["postgres_commits_per_s"], "commits/s"),
        "object store: PUT": (files, capacity["s3_puts_per_s"], "PUT/s"),
    }


def _cell(inputs: dict[str, Any], share: float) -> int:
    """How many boxes one of what is full first serves."""
    boxes = inputs["fleet"]["boxes"] / share * inputs["capacity"]["utilisation"]
    return max(100, round(boxes / 100) * 100)


def _costs(inputs: dict[str, Any], day: list[Minute], needed: dict[str, int]) -> None:
    fleet, prices, storage = inputs["fleet"], inputs["prices"], inputs["storage"]
    hours = prices["hours_per_month"]
    audio_gb = sum(one.audio_bytes for one in day) / 1e9
    calls = sum(one.calls for one in day)
    files = calls * fleet["recorded"] * 30
    records_gb = calls * fleet["records_per_call"] * storage["record_bytes"] * storage["keep_records_days"] / 1e9
    costs = {
        "brokers": needed["broker"] * prices["broker_per_hour"] * hours,
        "receivers": needed["receiver"] * prices["receiver_per_hour"] * hours,
        "PostgreSQL": needed["postgres"] * prices["postgres_per_hour"] * hours
        + records_gb * prices["postgres_gb_month"],
        "audio kept": audio_gb * storage["keep_days"] * prices["object_gb_month"],
        "PUTs": files / 1000 * prices["object_put_per_1000"],
        "listened to": files * prices["listened_share"] / 1000 * prices["object_get_per_1000"]
        + audio_gb * 30 * prices["listened_share"] * prices["egress_gb"],
    }
    total = sum(costs.values())
    parts = ", ".join(f"{name} {cost / fleet['boxes']:.4f}" for name, cost in costs.items())
    print(f"   a box and month: {total / fleet['boxes']:.3f} {prices['currency']} ({parts}); together {total:,.0f}\n")


def _storm(inputs: dict[str, Any], rng: random.Random) -> None:
    """All boxes lose their broker at once. Each tries again after a random part of 1, 2, 4 ... 300 s until let in."""
    boxes = inputs["fleet"]["boxes"]
    print("== All boxes reconnect at once (the broker was away for a minute)")
    for rate in (500, 1000, 2000):
        waiting = [rng.uniform(0, 1) for _ in range(boxes)]
        delays = [1.0] * boxes
        second, left, connected, refused = 0, boxes, 0, 0
        due: dict[int, list[int]] = {}
        for box, at in enumerate(waiting):
            due.setdefault(int(at), []).append(box)
        while left:
            room = rate if second >= 60 else 0
            for box in due.pop(second, ()):
                if room:
                    room -= 1
                    left -= 1
                    connected += 1
                    continue
                refused += 1
                delays[box] = min(300.0, delays[box] * 2)
                due.setdefault(second + 1 + int(rng.uniform(0.5, 1.0) * delays[box]), []).append(box)
            second += 1
        print(
            f"   {rate:5} connections/s let in: all back after {second - 60:4d} s, "
            f"{refused / boxes:.1f} refused tries a box"
        )


if __name__ == "__main__":
    main()
