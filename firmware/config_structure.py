"""Turns a parsed TOML document into attrs types without bending anything: no "5" for 5, no unknown key.

The converter runs each field's validator by itself, so that two wrong fields of one table are both reported.
"""

from __future__ import annotations

import enum
import math
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import attrs
from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, override

from firmware.config_checks import did_you_mean

T = TypeVar("T")


def structure(value: Any, cls: type[T]) -> T:
    """``value`` as ``cls``. Raises cattrs' validation errors, which `firmware.config_faults` explains."""
    if not isinstance(value, dict):
        raise ValueError("must be a table")
    return _CONVERTER.structure(value, cls)


def _text(value: Any, wanted: type) -> Any:
    if issubclass(wanted, enum.Enum):  # a StrEnum is text too, and cattrs prefers the hook of its base
        return _choice(value, wanted)
    if not isinstance(value, str):
        raise ValueError(f'must be text in quotes ("..."), not {value!r:.60}')
    return value


def _whole(value: Any, _type: type) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"must be a whole number, not {value!r:.60}")
    return value


def _number(value: Any, _type: type) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"must be a number, not {value!r:.60}")
    return float(value)


def _truth(value: Any, _type: type) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, not {value!r:.60}")
    return value


def _choice(value: Any, cls: type[enum.Enum]) -> enum.Enum:
    try:
        return cls(value)
    except ValueError:
        choices = [str(member.value) for member in cls]
        hint = did_you_mean(str(value), choices)
        raise ValueError(f"must be one of {', '.join(choices)}, not {value!r:.60}{hint}") from None


def _shape_fault(value: Any, wanted: Any) -> str | None:
    """What is wrong with the shape of ``value``: tables and lists are checked here, plain values by their hooks."""
    if typing.get_origin(wanted) in (typing.Union, types.UnionType):
        inner = [one for one in typing.get_args(wanted) if one is not type(None)]
        return _shape_fault(value, inner[0]) if len(inner) == 1 else None
    origin = typing.get_origin(wanted) or wanted
    if (attrs.has(wanted) or origin is dict) and not isinstance(value, dict):
        return f"must be a table, not {value!r:.60}"
    if origin in (list, tuple, set, frozenset) and not isinstance(value, list):
        return f"must be a list ([...]), not {value!r:.60}"
    return None


def _field_hook(attribute: attrs.Attribute[Any], converter: Converter) -> Callable[[Any, Any], Any]:
    def hook(value: Any, wanted: Any) -> Any:
        fault = _shape_fault(value, wanted)
        if fault:
            raise ValueError(fault)
        parsed = value if wanted is Any else converter.structure(value, wanted)
        if attribute.validator is not None:
            attribute.validator(None, attribute, parsed)
        return parsed

    return hook


def _make_table_hook(cls: type, converter: Converter) -> Callable[..., Any]:
    attrs.resolve_types(cls)
    hooks: dict[str, Any] = {
        field.name: override(struct_hook=_field_hook(field, converter)) for field in attrs.fields(cls)
    }
    hook: Callable[[Any, Any], Any] = make_dict_structure_fn(
        cls, converter, _cattrs_forbid_extra_keys=True, _cattrs_detailed_validation=True, **hooks
    )

    def table(value: Any, wanted: Any) -> Any:
        fault = _shape_fault(value, cls)
        if fault:
            raise ValueError(fault)
        return hook(value, wanted)

    return table


def _make_converter() -> Converter:
    converter = Converter(forbid_extra_keys=True, detailed_validation=True)
    converter.register_structure_hook(str, _text)
    converter.register_structure_hook(int, _whole)
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook(bool, _truth)
    converter.register_structure_hook(Path, lambda value, _: Path(_text(value, str)))
    converter.register_structure_hook_func(lambda t: isinstance(t, type) and issubclass(t, enum.Enum), _choice)
    converter.register_structure_hook_factory(attrs.has, lambda cls: _make_table_hook(cls, converter))
    return converter


_CONVERTER = _make_converter()
