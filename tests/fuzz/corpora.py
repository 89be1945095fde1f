"""The committed inputs of each fuzzed reader."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent / "corpus"


def inputs(reader: str) -> list[Path]:
    """Every input that once showed something new."""
    return sorted(path for path in (FOLDER / reader).iterdir() if path.is_file())
