"""Writes settings as TOML: a whole document, or changed lines into an admin's document whose other text stays."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Any

import attrs
import tomlkit
from tomlkit.items import AoT

from firmware.config import LineSettings, Settings


def render(settings: Settings) -> str:
    """``settings`` as a document that `firmware.config.parse` reads back as the same."""
    document = tomlkit.document()
    for name in ("box", "recording", "retention", "panel"):
        values = _plain(getattr(settings, name))
        if values:
            document[name] = values
    if settings.lines:
        lines = tomlkit.aot()
        for line in settings.lines:
            lines.append(_line_table(line))
        document["lines"] = lines
    return tomlkit.dumps(document)


def with_changed_lines(text: str, *, before: Settings, after: Settings) -> str:
    """``text`` with the lines that ``after`` has and ``before`` has not, and with the options that differ.

    Everything else, comments included, stays as the admin wrote it.
    """
    document = tomlkit.parse(text if not text or text.endswith("\n") else text + "\n")
    old = {line.id: line for line in before.lines}
    if "lines" not in document:
        document["lines"] = tomlkit.aot()
    tables: Any = document["lines"]
    for line in after.lines:
        if line.id not in old:
            tables.append(_line_table(line) if isinstance(tables, AoT) else _line_table(line).unwrap())
        elif line.options != old[line.id].options:
            table = next(table for table in tables if table["id"] == line.id)
            _overwrite(table, _plain(line.options), _plain(old[line.id].options))
    return tomlkit.dumps(document)


def _overwrite(table: Any, new: dict[str, Any], old: dict[str, Any]) -> None:
    options = table.setdefault("options", tomlkit.table())
    for name, value in new.items():
        if old.get(name) != value:
            options[name] = value


def _line_table(line: LineSettings) -> Any:
    table = tomlkit.table()
    for name, value in _plain(line).items():
        if name != "options":
            table[name] = value
    defaults = _plain_defaults(type(line.options))
    options = {name: value for name, value in _plain(line.options).items() if defaults.get(name) != value}
    if options:
        table["options"] = options
    return table


def _plain_defaults(options_type: type) -> dict[str, Any]:
    if not attrs.has(options_type):
        return {}
    fixed = {f.name: f.default for f in attrs.fields(options_type) if f.default is not attrs.NOTHING}
    return {name: _plain(value) for name, value in fixed.items() if not isinstance(value, attrs.Factory)}  # type: ignore[arg-type]


def _plain(value: Any) -> Any:
    """What TOML can say of ``value``; None and empty text are said by leaving the key out."""
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items() if one is not None}
    if attrs.has(type(value)):
        fields = {field.name: getattr(value, field.name) for field in attrs.fields(type(value))}
        return {name: _plain(one) for name, one in fields.items() if one is not None and one != ""}
    return value
