"""Holds what has arrived against the ledgers of the boxes. What it does not find, nobody finds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from firmware.store.database import open_reader
from firmware.store.transaction import fetch
from sync.receiver.kept import Kept
from sync.receiver.verify import verify
from tests.sync.faults.clouds import Cloud
from tests.sync.faults.world import Ended, House


def violations(cloud: Cloud, houses: Sequence[House]) -> list[str]:
    """What is not as it must be: every call that ended is here exactly once with identical bytes, nothing else is
    here, nothing is left behind."""
    with cloud.opened() as kept:
        found = [f"{one.code}: {one.subject}: {one.message}" for one in verify(kept).findings]
        for dev in sorted({house.name for house in houses}):
            ledger = [one for house in houses if house.name == dev for one in house.ledger]
            found += _calls(kept, dev, {one.call for one in ledger})
            found += _recordings(kept, dev, {one.sha256: one for one in ledger})
        names = {house.name for house in houses}
        strangers = {row[0] for row in kept.rows.run("SELECT dev FROM device")} - names
        found += [f"{dev} is a box that never was" for dev in strangers]
        ((half_way,),) = kept.rows.run("SELECT count(*) FROM file WHERE state <> 'stored'")
        if half_way:
            found.append(f"{half_way} files are left half-way")
        doubled = kept.rows.run(
            "SELECT dev, epoch, seq, count(*) FROM record GROUP BY dev, epoch, seq HAVING count(*) > 1 LIMIT 5"
        )
        if doubled and len(names) == len(houses):
            found.append(f"records are doubled: {doubled}")
    leftover = cloud.left_behind()
    if leftover:
        found.append(f"parts are left behind: {leftover[:5]}")
    for house in houses:
        if house.waiting():
            found.append(f"{house.name}: {house.waiting()} rows still wait on the box")
        quarantined = _quarantined(house)
        if quarantined:
            found.append(f"{house.name}: the box set aside {quarantined}")
    return found


def _calls(kept: Kept, dev: str, wanted: set[str]) -> Iterator[str]:
    here: dict[str, list[str]] = {}
    for epoch, body in kept.rows.run(
        "SELECT epoch, body FROM record WHERE dev = :dev AND type = 'call.ended'", dev=dev
    ):
        here.setdefault(json.loads(body)["data"]["id"], []).append(epoch)
    for call in sorted(wanted - here.keys()):
        yield f"{dev}: call {call} is not in the cloud"
    for call in sorted(here.keys() - wanted):
        yield f"{dev}: call {call} is in the cloud and never was"
    for call, epochs in here.items():
        if len(epochs) != len(set(epochs)):  # a box whose database was made anew tells what it has in its new epoch
            yield f"{dev}: call {call} ended {len(epochs)} times in {len(set(epochs))} epochs"


def _recordings(kept: Kept, dev: str, wanted: dict[str, Ended]) -> Iterator[str]:
    """That what lies there has the bytes that the row says, `verify` has found."""
    stored = kept.rows.run(
        "SELECT fid, sha256, size, stored_times FROM file WHERE dev = :dev AND state = 'stored'", dev=dev
    )
    by_sha = {sha256: fid for fid, sha256, _size, _times in stored}
    for sha256 in wanted.keys() - by_sha.keys():
        yield f"{dev}: recording {wanted[sha256].recording} is not in the cloud"
    for sha256 in by_sha.keys() - wanted.keys():
        yield f"{dev}: file {by_sha[sha256]} is in the cloud and never was"
    for fid, sha256, size, times in stored:
        if sha256 in wanted and size != wanted[sha256].size:
            yield f"{dev}: file {fid} has another size"
        if times != 1:
            yield f"{dev}: file {fid} was finalised {times} times"


def _quarantined(house: House) -> list[str]:
    db = open_reader(house.world.path)
    try:
        rows = fetch(
            db,
            "SELECT 'record ' || seq || ': ' || coalesce(last_err, '') AS what FROM outbox_event "
            "WHERE state = 'quarantined' UNION ALL SELECT 'file ' || fid || ': ' || coalesce(last_err, '') "
            "FROM outbox_file WHERE state = 'quarantined'",
        )
        return [str(row["what"]) for row in rows]
    finally:
        db.conn.close()


def missing(kept: Kept, dev: str, ledger: Sequence[Ended]) -> list[str]:
    """What of ``ledger`` the cloud does not have now."""
    found = [*_calls(kept, dev, {one.call for one in ledger})]
    found += _recordings(kept, dev, {one.sha256: one for one in ledger})
    return [one for one in found if one.endswith("is not in the cloud")]
