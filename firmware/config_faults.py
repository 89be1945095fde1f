"""Explains cattrs' validation errors to an admin: one sentence per fault, each with its place in the document."""

from __future__ import annotations

import re
from typing import Any

import attrs
from cattrs import BaseValidationError, ClassValidationError, ForbiddenExtraKeysError, IterableValidationError

from firmware.config_checks import did_you_mean

_LINE = re.compile(r"lines\[(\d+)\]")


def faults_in(error: Exception, document: dict[str, Any], path: str = "") -> list[str]:
    """Every fault that ``error`` holds. An error that is no fault of the document gives none."""
    if isinstance(error, ClassValidationError):
        named, unnamed = error.group_exceptions()
        inside = [(one, f"{path}.{note.name}" if path else note.name) for one, note in named]
        return [f for one, where in [*inside, *((o, path) for o in unnamed)] for f in faults_in(one, document, where)]
    if isinstance(error, IterableValidationError):
        items, others = error.group_exceptions()
        inside = [(one, f"{path}[{note.index}]") for one, note in items]
        return [f for one, where in [*inside, *((o, path) for o in others)] for f in faults_in(one, document, where)]
    if isinstance(error, ForbiddenExtraKeysError):
        return [_unknown_key(key, error.cl, path, document) for key in sorted(error.extra_fields)]
    if isinstance(error, KeyError):
        return [f"{place(path, document)}: is missing"]
    if isinstance(error, ValueError | TypeError) and not isinstance(error, BaseValidationError):
        return [f"{place(path, document)}: {error.args[0] if error.args else error}"]
    return []


def place(path: str, document: dict[str, Any]) -> str:
    """``path`` with the line's own name in it where it has one: ``lines[0] (fxo-1).driver``."""

    def named(match: re.Match[str]) -> str:
        lines = document.get("lines")
        try:
            name = lines[int(match[1])].get("id") if isinstance(lines, list) else None
        except (IndexError, AttributeError):
            name = None
        return f"{match[0]} ({name})" if isinstance(name, str) else match[0]

    return _LINE.sub(named, path) if not path.endswith("].id") else path


def _unknown_key(key: str, cls: type, path: str, document: dict[str, Any]) -> str:
    names = [field.name for field in attrs.fields(cls)]
    hint = did_you_mean(key, names) or f"; there are: {', '.join(names)}"
    table = place(f"{path}.{key}" if path else key, document)
    return f"{table}: there is no such setting{hint}"
