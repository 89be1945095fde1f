"""What a broken or malicious party may say."""

from __future__ import annotations

import json
import random
import time

from firmware.store.ids import ulid
from tests.sync.faults.world import House


def hostile_acks(rng: random.Random, dev: str, house: House) -> list[tuple[str, bytes]]:
    """What a broken or malicious cloud may say."""
    fid = f"{ulid(time.time_ns() // 1_000_000)}-{rng.randbytes(8).hex()}"
    return rng.sample(
        [
            (f"offhook1/{dev}/dn/ack", b""),
            (f"offhook1/{dev}/dn/ack", rng.randbytes(200)),
            (f"offhook1/{dev}/dn/ack", b"[" * 5000),
            (f"offhook1/{dev}/dn/ack", b'{"t":"f"}'),
            (f"offhook1/{dev}/dn/ack", b'{"t":"ev","epoch":"another","seq":[1,2,3],"upto":9999}'),
            (f"offhook1/{dev}/dn/ack", json.dumps({"t": "f", "f": fid, "state": "stored", "size": 1}).encode()),
            (f"offhook1/{dev}/dn/ack", json.dumps({"t": "f", "f": fid, "state": "x", "have": [[5, 1]]}).encode()),
            (f"offhook1/{dev}/dn/cmd", b'{"id":"a","op":"sh -c reboot","not_after_ms":1}'),
            (f"offhook1/{dev}/dn/cmd", b'{"id":"b","op":"shell","args":{"x":1},"not_after_ms":9999999999999}'),
            (f"offhook1/{dev}/dn/cfg", b'{"ver":-1,"document":"x"}'),
            (f"offhook1/{dev}/dn/nothing", b"x" * 1000),
        ],
        4,
    )


def hostile_messages(rng: random.Random, dev: str) -> list[tuple[str, bytes]]:
    """What a broken or malicious box may say in the name of ``dev``; nothing of it may be taken for a call."""
    return rng.sample(
        [
            (f"offhook1/{dev}/up/ev", rng.randbytes(100)),
            (f"offhook1/{dev}/up/ev", b"[]"),
            (f"offhook1/{dev}/up/ev", b'{"specversion":"1.0"}'),
            (f"offhook1/{dev}/up/hello", b"{}"),
            (f"offhook1/{dev}/up/f/../x/init", b"{}"),
            (f"offhook1/{dev}/up/f/{'0' * 26}-{'0' * 16}/init", b'{"name":"/etc/passwd","size":-1}'),
            (f"offhook1/{dev}/up/f/{'0' * 26}-{'0' * 16}/0/{'0' * 64}", b"nobody announced this"),
            (f"offhook1/{dev}/up/f/{'0' * 26}-{'0' * 16}/fin/5/{'0' * 64}", b""),
            (f"offhook1/{dev}/up/nothing", b"x"),
            (f"offhook1/{dev}/up/res", b'{"id":"x"}'),
        ],
        4,
    )
