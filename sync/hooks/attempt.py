"""One attempt to deliver, and what follows from its answer."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

import urllib3

GONE = 410
RETRY_S = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""After each failed attempt, as the specification recommends ("Deliverability and reliability"); then it has failed."""
LONGEST_AFTER_S = 86_400
TIMEOUT = urllib3.Timeout(connect=10, read=20)


@dataclass(frozen=True, slots=True)
class Outcome:
    http_status: int | None
    error: str | None
    took_ms: int = 0
    retry_after_s: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    state: Literal["pending", "delivered", "failed"]
    wait_s: int = 0
    gone: bool = False


def judge(outcome: Outcome, attempts: int) -> Verdict:
    """``attempts`` with this one; any 2xx is delivered, 410 says that nobody wants it any more."""
    status = outcome.http_status
    if status is not None and 200 <= status < 300:
        return Verdict("delivered")
    if status == GONE:
        return Verdict("failed", gone=True)
    if attempts > len(RETRY_S):
        return Verdict("failed")
    return Verdict("pending", wait_s=max(RETRY_S[attempts - 1], min(outcome.retry_after_s, LONGEST_AFTER_S)))


def post(url: str, headers: dict[str, str], body: bytes, *, agent: str) -> Outcome:
    """Never raises. No redirection is followed: what is signed for one address goes to no other."""
    began_s = time.monotonic()
    try:
        with urllib3.PoolManager(retries=False, timeout=TIMEOUT) as pool:
            answer = pool.request(
                "POST", url, body=body, headers=headers | {"user-agent": agent}, redirect=False, preload_content=False
            )
            status, after = answer.status, answer.headers.get("retry-after", "")
            answer.close()  # the body is nobody's business, and may be endless
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        return Outcome(None, f"{type(error).__name__}: {error}"[:500], _since_ms(began_s))
    error_text = None if 200 <= status < 300 else f"HTTP {status}"
    return Outcome(status, error_text, _since_ms(began_s), int(after) if after.isdecimal() else 0)


def _since_ms(began_s: float) -> int:
    return round((time.monotonic() - began_s) * 1000)
