"""What the box writes to its card, idle and while it records a call: the kernel's own count for the data partition."""

from __future__ import annotations

import os
import time
from pathlib import Path

from calls import record_one
from conftest import BOOT_S, PROVE_S
from emulator import Machine

IDLE_S = float(os.environ.get("OFFHOOK_IDLE_S", "1200"))
CALL_S = 180.0
CALLS_A_DAY = 40
CARD_GB = 32
ERASES = 500
"""Of one cell of the cheapest cards (TLC), until it is worn."""
AMPLIFICATION = 10
"""What a card writes for what it is asked to write, in small pieces: pessimistic."""
IDLE_MB_AN_HOUR_AT_MOST = 5.0


def test_what_an_idle_hour_and_a_call_write(disk: Path, consoles: Path, key: Path) -> None:
    with Machine(disk, consoles, key=key, name="card") as box:
        box.wait_for_ssh(BOOT_S)
        box.wait_until("systemctl is-active offhook-prove.service", PROVE_S)
        # A new file system is still being laid out for some minutes after the first start, once in its life.
        box.wait_until("! pgrep -x ext4lazyinit", PROVE_S)
        box.ssh("sync")
        before = written_mb(box)
        time.sleep(IDLE_S)
        box.ssh("sync")
        idle = (written_mb(box) - before) * 3600 / IDLE_S
        begun, at_s = written_mb(box), time.monotonic()
        call = record_one(box, talk_s=CALL_S)
        box.ssh("sync")
        took_s = time.monotonic() - at_s
        of_call = written_mb(box) - begun - idle * took_s / 3600
        minute = of_call / (call["of_s"] / 60)
        day = idle * 24 + CALLS_A_DAY * of_call
        years = CARD_GB * 1000 * ERASES / AMPLIFICATION / day / 365
        (consoles / "card.figures").write_text(
            f"idle: {idle:.2f} MB an hour (measured for {IDLE_S:.0f} s)\n"
            f"call: {of_call:.2f} MB for {call['of_s']:.0f} s, {minute:.2f} MB a minute\n"
            f"{CALLS_A_DAY} calls of {call['of_s'] / 60:.0f} min a day: {day:.0f} MB a day\n"
            f"a card of {CARD_GB} GB, {ERASES} erases a cell, {AMPLIFICATION} times what is asked for:"
            f" {years:.0f} years\n"
        )
        assert call["heard_s"] > 0.9 * CALL_S
        assert of_call > 0
        assert idle <= IDLE_MB_AN_HOUR_AT_MOST


def written_mb(box: Machine) -> float:
    """Since the start, to the data partition (Documentation/block/stat.rst: sectors of 512 bytes, field 7)."""
    stat = box.ssh("cat /sys/class/block/$(basename $(readlink /dev/offhook/data))/stat").split()
    return int(stat[6]) * 512 / 1e6
