"""schemathesis against the API: what its contract allows and what it forbids, and whether the answers keep it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.security.conftest import Attacked, listening
from tests.security.seeded import seeded_app
from webui.users.tokens import Scope

pytestmark = [pytest.mark.security, pytest.mark.timeout(1200)]
EXAMPLES = 100
SEED = 5


def schemathesis(contract: str, *words: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("schemathesis")
    config = Path(__file__).with_name("schemathesis.toml")
    command = [str(program), "--config-file", str(config), "run", contract]
    command += ["--max-examples", str(EXAMPLES), "--seed", str(SEED), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=1000, check=False)


def test_it_finds_what_is_seeded() -> None:
    with listening(seeded_app()) as address:
        done = schemathesis(f"{address}/openapi.json")
    assert done.returncode == 1, done.stdout
    assert "Server error" in done.stdout
    assert "Response violates schema" in done.stdout


def test_it_finds_nothing_in_the_api(attacked: Attacked) -> None:
    bearer = attacked.services.tokens.make(1, "schemathesis", tuple(Scope), days=None)
    with listening(attacked.app) as address:
        done = schemathesis(f"{address}/api/v1/openapi.json", "--header", f"Authorization: Bearer {bearer}")
    print(done.stdout[-2000:])
    assert done.returncode == 0, done.stdout
    assert "Rate limited" not in done.stdout, "what came after was not tested"
