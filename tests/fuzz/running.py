"""Hands a target to the fuzzer with the command line's options."""

from __future__ import annotations

import sys
from collections.abc import Callable


def run(one: Callable[[bytes], None]) -> None:
    """Until the fuzzer's options say that it is enough; a crash ends it with the input that made it."""
    import atheris  # noqa: PLC0415 - needed to fuzz, not to replay a corpus

    atheris.instrument_all()
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
