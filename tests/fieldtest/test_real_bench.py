"""The file of a bench of real lines: what it can do follows from it, and each fault in it is told with its place."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.docs.tree import ROOT

GOOD = """
[box]
shell = ["ssh", "pi@offhook.local", "sudo"]
gain_db = { fxo-1 = 6.0 }
[lines]
fxo-1 = { number = "02155507301", called_from = "sim-1" }
sim-1 = { number = "13800550123" }
[power]
off = ["uhubctl", "-a", "off"]
on = ["uhubctl", "-a", "on"]
line = "sim-1"
"""


@pytest.fixture(scope="module")
def bench() -> Any:
    spec = importlib.util.spec_from_file_location("real_bench", ROOT / "hil-tests" / "hil" / "real_bench.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["real_bench"] = module
    spec.loader.exec_module(module)
    return module


def loaded(bench: Any, folder: Path, text: str) -> Any:
    (folder / "bench.toml").write_text(text)
    return bench.load(folder / "bench.toml")


def test_what_it_can_do_follows_from_it(bench: Any, tmp_path: Path) -> None:
    assert loaded(bench, tmp_path, GOOD).features == {"analog", "sim", "second_line", "power_switch"}
    assert loaded(bench, tmp_path, "[lines]\nfxo-1 = {}\n").features == {"analog"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "lines"),
        ("[lines]\n", "names no line"),
        ("[lines", "cannot be read"),
        ("[lines]\nfxo-1 = { numer = '1' }\n", "numer"),
        ("[lines]\nfxo-1 = { called_from = 'sim-9' }\n", "sim-9"),
        (GOOD.replace('line = "sim-1"', 'line = "sim-7"'), "sim-7"),
        (GOOD.replace("6.0", '"loud"'), "gain_db"),
    ],
)
def test_each_fault_is_told(bench: Any, tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(bench.BenchFileError, match=told):
        loaded(bench, tmp_path, text)


def test_a_file_that_is_not_there_is_told(bench: Any, tmp_path: Path) -> None:
    with pytest.raises(bench.BenchFileError, match="cannot be read"):
        bench.load(tmp_path / "none.toml")
