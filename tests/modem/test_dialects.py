"""The dialects hold together: each row has a source, each quoted line is understood, each module is recognised."""

from __future__ import annotations

import pytest

from firmware.errors import ConfigError
from firmware.modem.at_events import BRANDS, Unknown, parse_line
from firmware.modem.dialects import Dialect, Row, brands, dialect, families, family_of
from firmware.modem.usb_scan import module_of, usb_map

ALL = [dialect(family) for family in families()]


@pytest.mark.parametrize("spoken", ALL, ids=lambda d: d.family)
def test_each_row_says_where_it_is_written(spoken: Dialect) -> None:
    rows: list[Row] = [*spoken.init, spoken.answer, spoken.hang_up, spoken.dial, spoken.list_calls, spoken.digit]
    rows += [spoken.hold_and_take, spoken.refuse_waiting]
    for audio in (spoken.audio, spoken.usb_audio):
        if audio is not None:
            rows += [row for row in (audio.on, audio.off, audio.ask, audio.reset, *audio.init) if row is not None]
    assert all(row.source and row.send.startswith("AT") for row in rows)
    assert all(part.source for part in (*spoken.urcs, *spoken.recovery, *spoken.quirks, *spoken.no_voice))


@pytest.mark.parametrize("spoken", ALL, ids=lambda d: d.family)
def test_each_quoted_line_is_understood(spoken: Dialect) -> None:
    assert spoken.urcs
    for urc in spoken.urcs:
        assert not isinstance(parse_line(urc.example, spoken.brand), Unknown), urc.example


@pytest.mark.parametrize("spoken", ALL, ids=lambda d: d.family)
def test_recovery_ends_with_telling_the_admin(spoken: Dialect) -> None:
    assert [step.step for step in spoken.recovery][-2:] == ["power", "tell"]
    assert all(bool(step.send) == (step.step == "restart") for step in spoken.recovery)


def test_the_brands_of_dialects_are_those_of_the_events() -> None:
    assert set(brands()) == set(BRANDS)


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("SIMCOM_SIM7600E-H", "sim7600"), ("SIM7500A", "sim7600"), ("SIM8200EA-M2", "sim7600"), ("SIM7000E", "sim7600"),
        ("A7670SA-FASE", "a76xx"), ("A7670E-LNXY-UBL", "a76xx"), ("SIM7670G", "a76xx"), ("A7608E-H", "a76xx"),
        ("SIMCOM_SIM800L", "sim800"), ("SIM900", "sim800"), ("SIM868", "sim800"),
        ("EC25", "ec2x"), ("EC20F", "ec2x"), ("EG25", "ec2x"), ("EG91", "ec2x"), ("EC21", "ec2x"),
        ("Quectel_M95", "m95"), ("Quectel_M35", "m95"),
        ("E1752", "huawei"), ("K3765", "huawei"), ("E173", "huawei"), ("ME909s-120", "huawei"),
        ("M6280", None), ("", None),
    ],
)  # fmt: skip
def test_a_module_is_known_by_its_own_word(model: str, family: str | None) -> None:
    assert family_of(model) == family


def test_the_maker_decides_where_the_model_does_not() -> None:
    assert family_of("XY-12", "huawei") == "huawei"


@pytest.mark.parametrize(
    ("family", "model", "voice"),
    [
        ("a76xx", "A7670E-LNXY-UBL", False), ("a76xx", "A7670E-FASE", True), ("a76xx", "SIM7670G", False),
        ("sim7600", "SIM7000E", False), ("sim7600", "SIMCOM_SIM7600E-H", True), ("huawei", "E3372", False),
    ],
)  # fmt: skip
def test_models_without_voice_are_known(family: str, model: str, voice: bool) -> None:
    assert (dialect(family).without_voice(model) is None) is voice


def test_a_family_nobody_knows_is_named_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match="auto, a76xx"):
        dialect("sim7601")


def test_usb_rows_name_families_there_are() -> None:
    assert {row.family for row in usb_map().values()} <= set(families())


@pytest.mark.parametrize(
    ("vendor", "product", "family"),
    [("1e0e", "9001", "sim7600"), ("2c7c", "0125", "ec2x"), ("12d1", "1001", "huawei"), ("12d1", "1506", "huawei")],
)
def test_usb_devices_are_found_by_their_ids(vendor: str, product: str, family: str) -> None:
    row = module_of(vendor, product)
    assert row is not None
    assert row.family == family


def test_other_usb_devices_are_none() -> None:
    assert module_of("1a86", "7523") is None
