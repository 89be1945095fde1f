"""Writes the little TOML that a first-boot settings document needs."""

from __future__ import annotations

import json
from typing import Any


def settings_document(lines: list[dict[str, Any]], *, name: str, country: str, time_zone: str) -> str:
    """The settings document (docs/interfaces.md) of a box called ``name`` with ``lines``."""
    parts = ["[box]", *_pairs({"name": name, "country": country, "time_zone": time_zone})]
    for line in lines:
        options = line["options"]
        parts += ["", "[[lines]]", *_pairs({k: v for k, v in line.items() if k != "options"})]
        parts += ["[lines.options]", *_pairs(options)]
    return "\n".join(parts) + "\n"


def _pairs(values: dict[str, Any]) -> list[str]:
    # JSON's strings, numbers and booleans are TOML's; there is nothing else in these tables.
    return [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
