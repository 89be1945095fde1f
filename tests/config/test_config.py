"""The settings document: what is accepted, and how every fault in it is told at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware import config
from firmware.config_text import render
from firmware.errors import ConfigError
from firmware.model import LineKind

EXAMPLE = (
    Path(__file__).resolve().parents[2].joinpath("docs/interfaces.md").read_text().split("```toml\n")[1].split("```")[0]
)


def faults(text: str) -> list[str]:
    return config.check(text)


def test_the_example_of_the_docs_is_accepted() -> None:
    settings = config.parse(EXAMPLE)
    assert settings.box.name == "Front office"
    assert str(settings.box.zone) == "Asia/Shanghai"
    assert [line.id for line in settings.lines] == ["fxo-1", "sim-1"]
    assert settings.lines[0].options.profile == "two-line-hat"
    assert settings.lines[1].options.at_port == "/dev/ttyUSB2"
    assert settings.country_of(settings.lines[0]) == "CN"


def test_an_empty_document_gives_the_defaults_and_no_line() -> None:
    settings = config.parse("")
    assert settings == config.Settings()
    assert (settings.recording.preroll_s, settings.retention.min_free_percent, settings.lines) == (5.0, 10, ())


def test_every_fault_is_told_at_once_with_its_place_and_a_suggestion() -> None:
    found = faults(
        """
        [box]
        name = 5
        country = "China"
        time_zone = "Asia/Shangai"
        colour = 1
        [recordin]
        x = 1
        [recording]
        preroll_s = 45
        [retention]
        min_free_percent = true
        [panel]
        ready_led = 5
        fault_led = 5
        [[lines]]
        id = "FXO 1"
        driver = "fxogpio"
        lable = "x"
        [[lines]]
        id = "fxo-2"
        [[lines]]
        id = "fxo-2"
        driver = "fxo-gpio"
        [lines.options]
        prot = 1
        port = "one"
        [[lines]]
        id = "sim-1"
        driver = 7
        options = 9
        """
    )
    for expected in (
        'box.name: must be text in quotes ("..."), not 5',
        "box.country: 'China' is no ISO 3166 country code; did you mean 'CN' (China)?",
        "box.time_zone: no time zone is called 'Asia/Shangai'; did you mean 'Asia/Shanghai'?",
        "box.colour: there is no such setting; did you mean 'country'?",
        "recordin: there is no such setting; did you mean 'recording'?",
        "recording.preroll_s: must be 0 to 30, not 45.0",
        "retention.min_free_percent: must be a whole number, not True",
        "panel: each GPIO number can be used once",
        "lines[0].id: must be 1 to 32 lower-case letters, digits and hyphens (fxo-1), not 'FXO 1'",
        "lines[0] (FXO 1).driver: no line driver is called 'fxogpio'; did you mean 'fxo-gpio'?",
        "lines[0] (FXO 1).lable: there is no such setting; did you mean 'label'?",
        "lines[1] (fxo-2).driver: is missing",
        "lines[2].id: 'fxo-2' is the id of lines[1] already; ids are used once",
        "lines[2] (fxo-2).options.prot: there is no such setting; did you mean 'port'?",
        "lines[2] (fxo-2).options.port: must be a whole number, not 'one'",
        'lines[3] (sim-1).driver: must be text in quotes ("..."), not 7',
        "lines[3] (sim-1).options: must be a table ([lines.options])",
    ):
        assert expected in found
    assert len(found) == len(set(found))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x ==", "not a TOML document"),
        ("lines = 5", "lines: must be a list"),
        ("lines = [3]", "lines[0]: must be a table"),
        ("box = 1", "box: must be a table"),
        ("[recording]\npreroll_s = -0.1", "recording.preroll_s: must be 0 to 30"),
        ("[recording]\npreroll_s = nan", "recording.preroll_s: must be a number"),
        ('[recording]\npreroll_s = "5"', "recording.preroll_s: must be a number"),
        ('[box]\ntime_zone = "Asia"', "no time zone is called 'Asia'"),
        ('[box]\ntime_zone = "../etc/passwd"', "no time zone is called"),
        ('[box]\ntime_zone = ""', "no time zone is called"),
        ('[box]\ntime_zone = "Shanghai"', "did you mean 'Asia/Shanghai'"),
        ('[box]\ncountry = "cn"', "did you mean 'CN'"),
        ('[box]\ncountry = "UK"', "did you mean 'GB'"),
        ('[box]\ncountry = ""', "two capital letters"),
        ('[box]\nname = "a\\nb"', "one line of at most 64"),
        ("[panel]\nbutton = 99", "panel.button: must be 0 to 53"),
        ('[[lines]]\nid = "a"\ndriver = "fxo-gpio"', "lines[0] (a).options.profile: is missing"),
    ],
)
def test_each_kind_of_fault(text: str, says: str) -> None:
    assert any(says in fault for fault in faults(text)), faults(text)


def test_one_device_cannot_be_two_lines() -> None:
    line = '[[lines]]\nid = "{}"\ndriver = "fxo-gpio"\noptions = {{ profile = "two-line-hat", port = 1 }}\n'
    (fault,) = faults(line.format("a") + line.format("b"))
    assert fault == "lines[1] (b): driver and options are those of lines[0] (a); a device is one line"


def test_parse_raises_all_of_them() -> None:
    with pytest.raises(ConfigError) as error:
        config.parse("a = 1\nb = 2")
    assert len(error.value.faults) == 2


@pytest.mark.parametrize("preroll", ["0", "30", "0.0", "29.999"])
def test_the_ends_of_a_range_belong_to_it(preroll: str) -> None:
    assert config.parse(f"[recording]\npreroll_s = {preroll}").recording.preroll_s == float(preroll)


def test_a_line_that_says_nothing_of_supervision_goes_by_its_kind() -> None:
    (fxo, sim) = config.parse(EXAMPLE.replace("answer_supervision = true", "")).lines
    assert not fxo.tells_answer(LineKind.ANALOG)
    assert sim.tells_answer(LineKind.SIM)
    assert config.parse(EXAMPLE).lines[0].tells_answer(LineKind.ANALOG)


def test_what_is_rendered_is_read_back_the_same() -> None:
    for text in ("", EXAMPLE, "[panel]\nready_led = 5\n[box]\nname = 'a \"b\" \\\\ 😀'"):
        settings = config.parse(text)
        assert config.parse(render(settings)) == settings


toml_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 99) | st.text("abc-1 \n", max_size=5) | st.floats(0, 50),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["box", "lines", "id", "driver", "options", "port", "profile", "recording", "preroll_s", "country", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(st.sampled_from(["box", "lines", "recording", "retention", "panel", "x"]), toml_values, max_size=4)
)
def test_whatever_stands_there_is_either_settings_or_named_faults(document: dict[str, object]) -> None:
    try:
        settings = config._parsed(document)
    except ConfigError as error:
        found = error.faults
    else:
        found = ["lines[0]: nothing"]
        assert isinstance(settings, config.Settings)
    assert found
    assert all(": " in fault for fault in found)


class TestSalvage:
    """A document that an earlier Offhook accepted must not stop the lines that are still understood."""

    def test_the_sound_lines_go_on(self) -> None:
        settings, found = config.salvage("x = 1\n" + EXAMPLE.replace('driver = "at-modem"', 'driver = "gone"'))
        assert [line.id for line in settings.lines] == ["fxo-1"]
        assert settings.box.name == "Front office"
        assert len(found) == 2

    def test_a_faulty_value_falls_back_to_its_default(self) -> None:
        settings, found = config.salvage(EXAMPLE.replace('country = "CN"', 'country = "XX"'))
        assert settings.box == config.BoxSettings(name="Front office")
        assert len(settings.lines) == 2
        assert len(found) == 1

    def test_of_two_lines_with_one_id_the_first_stays(self) -> None:
        settings, _found = config.salvage(EXAMPLE.replace('id = "sim-1"', 'id = "fxo-1"'))
        assert [line.driver for line in settings.lines] == ["fxo-gpio"]

    def test_nonsense_gives_the_defaults(self) -> None:
        settings, found = config.salvage("= = =")
        assert settings == config.Settings()
        assert len(found) == 1
