"""A box as its bytes: topics and payloads exactly as docs/mqtt.md has them, made without the box's own code."""

from __future__ import annotations

import hashlib
import json
from typing import Any

CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
EPOCH = "e1"


def fid_of(data: bytes, n: int = 0) -> str:
    ulid = "01jd0000000000000000000" + "".join(CROCKFORD[n >> shift & 31] for shift in (10, 5, 0))
    return f"{ulid}-{hashlib.sha256(data).hexdigest()[:16]}"


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def as_json(document: Any) -> bytes:
    return json.dumps(document).encode()


def record(seq: int, *, dev: str = "oh-1", epoch: str = EPOCH, **changes: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"id-{epoch}-{seq}",
        "source": f"offhook/{dev}",
        "type": "call.ended",
        "time": "2026-11-22T04:03:11.120Z",
        "datacontenttype": "application/json",
        "epoch": epoch,
        "seq": seq,
        "bootno": 1,
        "mono": "123",
        "clock": "ntp",
        "data": {"id": f"call-{seq}", "status": "ended", "started_utc_ms": 1_795_321_796_123},
        **changes,
    }


def records_message(*events: dict[str, Any], dev: str = "oh-1") -> tuple[str, bytes]:
    return f"offhook1/{dev}/up/ev", as_json(events[0] if len(events) == 1 else list(events))


def hello(*, dev: str = "oh-1", epoch: str = EPOCH, max_seq: int = 0, **changes: Any) -> tuple[str, bytes]:
    return f"offhook1/{dev}/up/hello", as_json({"v": 1, "epoch": epoch, "max_seq": max_seq, "cfg_ver": 0, **changes})


def init(data: bytes, *, dev: str = "oh-1", n: int = 0, **changes: Any) -> tuple[str, bytes]:
    body = {"name": "a.flac", "size": len(data), "checksum": sha(data), "user_data": {"call_id": "c"}, **changes}
    return f"offhook1/{dev}/up/f/{fid_of(data, n)}/init", as_json(body)


def chunk(data: bytes, start: int, end: int, *, dev: str = "oh-1", n: int = 0) -> tuple[str, bytes]:
    part = data[start:end]
    return f"offhook1/{dev}/up/f/{fid_of(data, n)}/{start}/{sha(part)}", part


def chunks(data: bytes, size: int, *, dev: str = "oh-1", n: int = 0) -> list[tuple[str, bytes]]:
    return [chunk(data, at, min(at + size, len(data)), dev=dev, n=n) for at in range(0, len(data), size)]


def fin(data: bytes, *, dev: str = "oh-1", n: int = 0) -> tuple[str, bytes]:
    return f"offhook1/{dev}/up/f/{fid_of(data, n)}/fin/{len(data)}/{sha(data)}", b""


def abort(data: bytes, *, dev: str = "oh-1", n: int = 0) -> tuple[str, bytes]:
    return f"offhook1/{dev}/up/f/{fid_of(data, n)}/abort", b""
