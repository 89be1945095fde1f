"""A real page in a real browser: the server as a process of its own, and headless Chromium in front of it."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.webui.box import PASSWORD

CHROMIUM = Path("/usr/bin/chromium")
_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Served:
    address: str
    code: str
    process: subprocess.Popen[str]


@contextmanager
def serving(data_dir: Path, run_dir: Path, port: int = 0) -> Iterator[Served]:
    """The page as `offhook web` serves it, on ``port`` or one of its own."""
    start = (
        "import sys; from pathlib import Path; from webui.serve import main; "
        "main(*map(Path, sys.argv[1:3]), port=int(sys.argv[3]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", start, str(data_dir), str(run_dir), str(port)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    said = ""
    try:
        end = time.monotonic() + 90
        while "The page: " not in said:
            assert time.monotonic() < end, f"the page did not start: {said!r}"
            if select.select([process.stdout], [], [], 1.0)[0]:
                said += os.read(process.stdout.fileno(), 4096).decode()
        address = re.search(r"The page: (\S+)", said)
        code = re.search(r"First-run code: (\S+)", said)
        assert address is not None
        yield Served(address[1].rstrip("/"), code[1] if code else "", process)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        finally:
            process.stdout.close()


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def first_run(page: Page, served: Served) -> None:
    """What the owner does at the first run."""
    page.goto(served.address)
    page.fill("[name=code]", served.code)
    page.fill("[name=name]", "owner")
    page.fill("[name=password]", PASSWORD)
    page.fill("[name=password_again]", PASSWORD)
    page.click("button.btn-primary")
    page.wait_for_url("**/setup/**")
    page.goto(f"{served.address}/live/")
