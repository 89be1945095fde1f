"""The console in a real browser, in both languages: what an operator does on the first day."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Page, expect

from sync.receiver import wishes
from tests.sync.faults.mosquitto import free_port
from tests.sync.receiver import box
from tests.sync.receiver.cloud import Cloud
from tests.webui.browser import CHROMIUM, chromium

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed (apt install chromium)"),
]
SHOTS = os.environ.get("OFFHOOK_SCREENSHOTS")
"""A folder, to look at the pages afterwards."""


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Cloud]:
    """Two boxes, calls of every kind, recordings that can be heard, an alarm, a wish, and something put aside."""
    cloud = Cloud(tmp_path / "cloud")
    now_ms = cloud.at_ms = time.time_ns() // 1_000_000
    tone = np.sin(np.arange(16_000) * 2 * np.pi * 440 / 8000) / 4
    soundfile.write(tmp_path / "tone.flac", np.stack([tone, tone / 2], axis=1), 8000)
    flac = (tmp_path / "tone.flac").read_bytes()
    calls = [
        ("incoming", "ended", "answered", "13800138089", "王芳", "valid"),
        ("incoming", "ended", "missed", None, None, "withheld"),
        ("outgoing", "ended", "answered", "02165432100", None, "valid"),
        ("outgoing", "ended", "no_answer", "+442079460123", "Front desk", "valid"),
        ("incoming", "talking", None, "13912345678", None, "valid"),
    ]
    cloud.say(
        ("offhook1/oh-office/status", box.as_json({"state": "ready", "sw": "0.1.0"})),
        ("offhook1/oh-branch/status", box.as_json({"state": "lost"})),
        box.hello(dev="oh-office", max_seq=len(calls) * 2 + 1),
        box.hello(dev="oh-branch", max_seq=4),
        ("offhook1/oh-branch/up/ev", b"not json"),
    )
    seq = 0
    for n, (direction, status, outcome, number, name, presentation) in enumerate(calls):
        start = now_ms - (n + 1) * 400_000
        data = {"id": f"call-{n}", "line": "fxo-1", "direction": direction, "status": status, "outcome": outcome,
                "number": number, "name": name, "presentation": presentation, "started_utc_ms": start,
                "ended_utc_ms": start + 95_000 * (n + 1) if outcome else None}  # fmt: skip
        content = flac + bytes([n])
        sealed = {"id": f"rec-{n}", "call_id": f"call-{n}", "part": 1, "status": "sealed",
                  "files": [{"fid": box.fid_of(content), "codec": "flac", "size": len(content)}]}  # fmt: skip
        for kind, told in (("call.ended", data), ("recording.sealed", sealed)):
            seq += 1
            cloud.say(box.records_message(box.record(seq, dev="oh-office", type=kind, data=told), dev="oh-office"))
        if outcome == "answered":
            cloud.say(
                box.init(content, dev="oh-office"),
                *box.chunks(content, 8192, dev="oh-office"),
                box.fin(content, dev="oh-office"),
            )
    alarm = {"id": 1, "key": "card_full", "severity": "critical", "since_utc_ms": now_ms - 7_200_000,
             "text": {"en": "The card is almost full.", "zh": "存储卡即将写满。"},
             "todo": {"en": "Check the connection to the cloud.", "zh": "请检查与云端的连接。"}}  # fmt: skip
    cloud.say(
        box.records_message(box.record(seq + 1, dev="oh-office", type="alarm.raised", data=alarm), dev="oh-office")
    )
    wish = wishes.Wish(id="w1", dev="oh-office", op="sync.now", args={}, not_after_ms=now_ms + 3_600_000)
    with cloud.opened() as kept:
        wishes.add_command(kept.rows, wish, made_ms=now_ms)
        wishes.set_desired(kept.rows, "oh-office", "[sync]\n", set_ms=now_ms)
    yield cloud
    cloud.close()


@pytest.fixture
def served(filled: Cloud) -> Iterator[tuple[str, str]]:
    """The address and the first-run code, as the terminal shows them."""
    environment = {
        **os.environ,
        "OFFHOOK_RECEIVER_STORAGE_DATA": str(filled.folder),
        "OFFHOOK_RECEIVER_CONSOLE_PORT": str(free_port()),
        "OFFHOOK_RECEIVER_CONSOLE_TIME_ZONE": "Asia/Shanghai",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "sync.receiver", "console"], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    said, end = "", time.monotonic() + 60
    try:
        while "The console: " not in said:
            assert time.monotonic() < end, f"the console did not start: {said!r}"
            if select.select([process.stdout], [], [], 1.0)[0]:
                said += os.read(process.stdout.fileno(), 4096).decode()
        address, code = re.search(r"The console: (\S+)", said), re.search(r"First-run code: (\S+)", said)
        assert address is not None
        assert code is not None
        yield address[1].rstrip("/"), code[1]
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


def _look(page: Page, name: str) -> None:
    """The page is as wide as the window, and, where somebody wants to look, kept as a picture."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)


def test_the_first_day_of_an_operator(served: tuple[str, str]) -> None:
    address, code = served
    with chromium() as browser:
        page = browser.new_page(locale="en-GB", viewport={"width": 1280, "height": 800})
        faults: list[str] = []
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.set_default_timeout(30_000)
        page.goto(address)
        _look(page, "first-run")
        page.fill("[name=code]", code)
        page.fill("[name=name]", "operator")
        for name in ("password", "password_again"):
            page.fill(f"[name={name}]", "a long enough one")
        page.click("main button")

        expect(page.locator(".tile").first).to_contain_text("1 / 2")
        expect(page.locator("main")).to_contain_text("The card is almost full.")
        _look(page, "overview-en")
        assert _plays(page)

        for name in ("calls", "boxes", "alarms", "aside"):
            page.click(f"header nav a[href='/{name}']")
            _look(page, f"{name}-en")
        expect(page.locator("main")).to_contain_text("not JSON")

        page.goto(f"{address}/calls")
        page.fill("[name=q]", "1380013")
        page.press("[name=q]", "Enter")
        expect(page.locator("tbody tr")).to_have_count(1)
        page.click("tbody a >> nth=0")
        expect(page.locator("h1")).to_contain_text("13800138089")
        expect(page.locator(".hash")).to_have_text(re.compile(r"[0-9a-f]{64}"))
        _look(page, "call-en")

        page.click("header button[name=language]")
        expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
        expect(page.locator("dl")).to_contain_text("来电")
        _look(page, "call-zh")
        for name in ("", "calls", "boxes", "boxes/oh-office", "alarms", "aside"):
            page.goto(f"{address}/{name}")
            text = page.inner_text("main")
            assert re.search(r"[\u4e00-\u9fff]", text), name
            assert "All calls" not in text
            _look(page, f"{name.replace('/', '-') or 'overview'}-zh")
        expect(page.locator("footer")).to_contain_text("Asia/Shanghai")

        page.set_viewport_size({"width": 390, "height": 800})
        for name in ("", "boxes/oh-office", "calls"):
            page.goto(f"{address}/{name}")
            _look(page, f"{name.replace('/', '-') or 'overview'}-phone")
        page.click("header form[action='/logout'] button")
        page.goto(f"{address}/calls")
        expect(page.locator("[name=password]")).to_be_visible()
        _look(page, "login")
        assert faults == []


def _plays(page: Page) -> bool:
    """Whether the browser itself decodes the recording to its end."""
    return bool(
        page.evaluate(
            """async () => {
                const audio = document.querySelector("audio");
                audio.muted = true;
                await audio.play();
                await new Promise((done, failed) => { audio.onended = done; audio.onerror = failed; });
                return audio.duration > 1.5;
            }"""
        )
    )
