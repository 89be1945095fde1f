"""Does in a running street what ``offhook fieldtest`` asks a technician for: its ``--helper``.

``python -m simulator.technician --street DIR/street/street.sock --data DIR/data`` reads the acts as JSON lines and
answers them (fieldtest/helper_guide.py). It listens to recordings as people do: both prompts must be in them.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import soundfile

from firmware.errors import OffhookError
from simulator.hearing import matches
from simulator.speech import say
from simulator.street_client import order


def obey(act: dict[str, Any], *, street: Path, data: Path) -> dict[str, Any]:
    """The answer to one act. Raises `StreetError`."""
    if act["act"] == "listen":
        return {"heard": _both_heard(data / act["file"])}
    if act["act"] == "failed":
        return {}
    answer = order(street, "act", line=act["line"], act=act["act"], seconds=act["seconds"])
    return {"number": answer["number"]} if "number" in answer else {}


def _both_heard(path: Path) -> bool:
    samples, rate_hz = soundfile.read(path, dtype="float64", always_2d=True)
    channels = range(samples.shape[1])
    return all(
        any(matches(samples[:, n], int(rate_hz), say(prompt)).heard for n in channels) for prompt in ("r01", "l01")
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m simulator.technician", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--street", type=Path, required=True, help="the street's control socket")
    parser.add_argument("--data", type=Path, required=True, help="the box's data folder")
    wanted = parser.parse_args()
    for line in sys.stdin:
        try:
            answer = obey(json.loads(line), street=wanted.street, data=wanted.data)
        except (OffhookError, OSError, KeyError, ValueError) as error:
            answer = {"what": "abort", "reason": str(error)}
        print(json.dumps(answer), flush=True)  # noqa: T201 - the answer
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
