"""Lists that a person types into one field."""

from __future__ import annotations


def entries(text: str) -> list[str]:
    """One entry a line, or separated by commas (Chinese ones, too); in the order written, each once."""
    found = [
        part.strip() for line in text.splitlines() for part in line.replace("，", ",").replace("；", ",").split(",")
    ]
    return list(dict.fromkeys(part for part in found if part))
