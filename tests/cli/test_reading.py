"""The commands that read: tables for people, documents for machines, exit codes for scripts."""

from __future__ import annotations

import csv
import hashlib
import importlib
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from cli import commands
from tests.cli.shell import ROOT, START, Shell, answered_call

CALL_KEYS = {
    "id", "line", "direction", "status", "started_utc_ms", "number", "name", "presentation", "answered_utc_ms",
    "ended_utc_ms", "outcome", "end_reason", "parts", "number_e164", "ring_pattern", "flags", "recordings", "note",
}  # fmt: skip


@pytest.mark.usefixtures("two_calls")
class TestCalls:
    def test_machines_get_one_document_newest_first(self, shell: Shell) -> None:
        calls = shell.json("calls")["calls"]
        assert [call["line"] for call in calls] == ["fxo-2", "fxo-1"]
        assert all(set(call) == CALL_KEYS for call in calls)
        assert calls[1]["recordings"][0]["gaps"] == [{"at_ms": 1000, "missing_ms": 20, "cause": "overrun"}]

    def test_people_get_a_table_in_the_boxs_own_time(self, shell: Shell) -> None:
        shown = shell("calls")
        assert shown.returncode == 0
        assert (
            "2026-11-18 19:06:40  fxo-1  incoming   13800138089 [bold]=Wang  answered  1:00    sealed" in shown.stdout
        )
        assert "withheld" in shown.stdout
        assert "cut short at 00:00:02" in shown.stdout

    def test_they_can_be_narrowed(self, shell: Shell) -> None:
        assert [call["line"] for call in shell.json("calls", "--line", "fxo-1")["calls"]] == ["fxo-1"]
        assert [call["line"] for call in shell.json("calls", "--limit", "1")["calls"]] == ["fxo-2"]
        assert [call["line"] for call in shell.json("calls", "--since", "2026-11-18T19:10")["calls"]] == ["fxo-2"]
        assert [call["line"] for call in shell.json("calls", "--until", "2026-11-18T11:10Z")["calls"]] == ["fxo-1"]
        assert shell.json("calls", "--since", "2027-01-01")["calls"] == []
        assert "There are more" in shell("calls", "--limit", "1").stdout

    def test_a_wrong_time_is_wrong_use(self, shell: Shell) -> None:
        wrong = shell("calls", "--since", "yesterday")
        assert wrong.returncode == 2
        assert "2026-11-22T09:30" in wrong.stderr

    def test_notes_speak_chinese_to_a_chinese_shell(self, shell: Shell) -> None:
        assert "处中断" in shell("calls", LC_ALL="", LC_MESSAGES="zh_CN.UTF-8", LANG="zh_CN.UTF-8").stdout


@pytest.mark.usefixtures("two_calls")
class TestLedger:
    def test_the_balance(self, shell: Shell) -> None:
        ledger = shell.json("ledger")
        assert ledger["balance"] == {"call": 2, "missed": 0, "fault": 1, "open": 0, "unexplained": 0}
        assert ledger["balanced"] is True
        assert [(fault["fault"], fault["count"]) for fault in ledger["faults"]] == [("reversal_without_call", 1)]
        shown = shell("ledger", "--entries")
        assert shown.returncode == 0
        assert "The ledger balances." in shown.stdout
        assert "polarity_reversed" in shown.stdout

    def test_a_period(self, shell: Shell) -> None:
        assert sum(shell.json("ledger", "--until", "2026-11-18T19:06:45")["balance"].values()) == 1

    def test_an_unexplained_event_is_exit_code_1(self, shell: Shell) -> None:
        with sqlite3.connect(shell.data / "offhook.db") as db:
            db.execute(
                "INSERT INTO ledger (id, line, kind, boot_no, at_utc_ms, at_boot_ns) "
                "VALUES ('x', 'fxo-1', 'ring', 1, ?, ?)",
                (START.utc_ms, START.boot_ns),
            )
        db.close()
        shown = shell("ledger")
        assert shown.returncode == 1
        assert "DOES NOT BALANCE" in shown.stdout
        assert shell.json("ledger")["balanced"] is False


@pytest.mark.usefixtures("two_calls")
class TestAlarms:
    def test_a_standing_alarm_is_exit_code_1_and_says_what_to_do(self, shell: Shell) -> None:
        shown = shell("alarms")
        assert shown.returncode == 1
        assert "fxo-2" in shown.stdout
        (alarm,) = shell.json("alarms")["alarms"]
        assert set(alarm["text"]) == {"en", "zh"}
        assert alarm["todo"]["en"]


@pytest.mark.usefixtures("two_calls")
class TestDoctor:
    def test_a_sound_box_is_exit_code_0_or_says_what_is_wrong(self, shell: Shell) -> None:
        report = shell.json("doctor")
        assert set(report) == {"ok", "findings", "rows_before", "rows_after"}
        assert report["rows_before"]["call"] == 2
        assert report["rows_after"] is None

    def test_a_missing_recording_is_found(self, shell: Shell) -> None:
        (shell.data / shell.json("calls")["calls"][0]["recordings"][0]["flac_path"]).unlink()
        examined = shell("doctor")
        assert examined.returncode == 1
        assert "missing" in examined.stdout

    def test_a_repair_prints_the_rows_before_and_after(self, shell: Shell) -> None:
        report = shell.json("doctor", "--repair")
        assert report["rows_after"] is not None


@pytest.mark.usefixtures("two_calls")
class TestExport:
    def test_what_arrives_is_what_was_recorded(self, shell: Shell, tmp_path: Path) -> None:
        report = shell.json("export", "--to", tmp_path / "stick")
        assert (report["calls"], report["files"]) == (2, 2)
        for call in shell.json("calls")["calls"]:
            (recording,) = call["recordings"]
            copied = (tmp_path / "stick" / f"{recording['id']}.flac").read_bytes()
            assert hashlib.sha256(copied).hexdigest() == recording["flac_sha256"]
        rows = list(csv.DictReader((tmp_path / "stick/calls.csv").open(encoding="utf-8-sig")))
        assert [row["line"] for row in rows] == ["fxo-1", "fxo-2"]
        assert rows[0]["started"] == "2026-11-18 19:06:40"
        assert rows[0]["files"].endswith("-fxo-1.p1.flac")

    def test_again_copies_nothing_twice_and_mends_a_broken_copy(self, shell: Shell, tmp_path: Path) -> None:
        stick = tmp_path / "stick"
        shell("export", "--to", stick)
        whole, broken = sorted(stick.glob("*.flac"))
        when = whole.stat().st_mtime_ns
        broken.write_bytes(b"half")
        (stick / "left.flac.part").write_bytes(b"x")
        assert shell("export", "--to", stick).returncode == 0
        assert whole.stat().st_mtime_ns == when
        assert broken.stat().st_size > 4

    def test_a_damaged_recording_is_named_and_the_others_are_copied(self, shell: Shell, tmp_path: Path) -> None:
        path = shell.data / shell.json("calls")["calls"][0]["recordings"][0]["flac_path"]
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        exported = shell("export", "--to", tmp_path / "stick")
        assert exported.returncode == 1
        assert f"{path.stem}: the file is not what was recorded" in exported.stderr
        assert len(list((tmp_path / "stick").glob("*"))) == 2

    def test_a_name_never_becomes_a_formula(self, shell: Shell, tmp_path: Path, write: Callable[..., None]) -> None:
        write(*answered_call(shell.data, 1200, name='=HYPERLINK("x")', number="+8613800138089"))
        shell("export", "--to", tmp_path / "stick")
        rows = list(csv.DictReader((tmp_path / "stick/calls.csv").open(encoding="utf-8-sig")))
        assert rows[2]["name"] == '\'=HYPERLINK("x")'
        assert rows[2]["number"] == "+8613800138089"


def test_without_a_box_each_command_says_what_to_do(shell: Shell) -> None:
    for words in (["calls"], ["ledger"], ["alarms"], ["export", "--to", "/nonexistent"], ["config", "show"]):
        failed = shell(*words)
        assert failed.returncode == 1
        assert "there is no database" in failed.stderr
        assert "Traceback" not in failed.stderr
    for words in (["lines"], ["lines", "found"], ["alarms", "ack", "1"]):
        failed = shell(*words)
        assert failed.returncode == 3
        assert "systemctl start offhook-recorder" in failed.stderr


def test_wrong_use_is_exit_code_2(shell: Shell) -> None:
    for words in (["frobnicate"], ["calls", "--frob"], ["export"], ["config", "check", "/nonexistent"]):
        assert shell(*words).returncode == 2


def test_every_command_explains_itself_and_stands_in_the_docs(shell: Shell) -> None:
    names = [path.stem for path in Path(commands.__path__[0]).glob("*.py") if path.stem != "__init__"]
    listed = shell("--help").stdout
    for name in names:
        if importlib.import_module(f"cli.commands.{name}").command.hidden:
            continue
        assert re.search(rf"^  {name} ", listed, re.MULTILINE)
        assert shell(name, "--help").returncode == 0
    page = (ROOT / "docs/interfaces.md").read_text()
    for name in ("calls", "ledger", "doctor", "lines", "export"):
        assert f"`offhook {name}" in page
