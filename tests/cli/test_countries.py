"""``offhook countries`` on the command line."""

from __future__ import annotations

from tests.cli.shell import Shell


def test_the_list_names_every_country_and_its_source(shell: Shell) -> None:
    shown = shell("countries")
    assert shown.returncode == 0
    assert "Germany" in shown.stdout
    assert "ITU-T E.180" in shown.stdout


def test_one_country_for_people(shell: Shell) -> None:
    shown = shell("countries", "gb")
    assert shown.returncode == 0
    assert "400+450 0.4/0.2/0.4/2" in shown.stdout
    assert "loop_open" in shown.stdout


def test_one_country_for_machines(shell: Shell) -> None:
    (china,) = shell.json("countries", "CN")["countries"]
    assert china["tones"]["busy"] == [{"hz": [450.0], "modulated_by_hz": None, "ms": [350, 350]}]
    assert china["ring_timeout_s"] == 5.0
    assert "flash_ms" in china["unverified"]


def test_a_country_that_is_none(shell: Shell) -> None:
    refused = shell("countries", "XX")
    assert refused.returncode == 2
    assert "there is no profile for 'XX'" in refused.stderr
