"""A choice written in the settings is the choice, whatever its class is made of."""

from __future__ import annotations

import enum

import attrs
import cattrs
import pytest

from firmware.config_structure import structure


class Plain(enum.Enum):
    ONE = "one"


class Texty(enum.StrEnum):
    ONE = "one"


@attrs.frozen
class Table:
    plain: Plain = Plain.ONE
    texty: Texty = Texty.ONE


def test_text_becomes_the_member() -> None:
    parsed = structure({"plain": "one", "texty": "one"}, Table)
    assert parsed.plain is Plain.ONE
    assert parsed.texty is Texty.ONE


@pytest.mark.parametrize("name", ["plain", "texty"])
def test_another_text_is_a_fault(name: str) -> None:
    with pytest.raises(cattrs.BaseValidationError):
        structure({name: "two"}, Table)
