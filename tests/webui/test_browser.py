"""A person with a browser: the first run, a live call, and a recording that plays and seeks."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.webui.box import Database, StubRecorder, alarm, eventually, live_call, live_line
from tests.webui.browser import CHROMIUM, chromium, first_run, serving
from tests.webui.showcase import office

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed"),
]

HOSTILE = '<img src=x onerror="document.title=1">王小明'


def watched(page: Page) -> list[str]:
    """Everything that goes wrong in ``page``: script errors and breaches of the content policy."""
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    return wrong


def position_s(page: Page) -> float:
    return float(page.evaluate("document.querySelector('audio').currentTime"))


def test_from_the_first_run_to_hearing_a_call(data_dir: Path, run_dir: Path, database: Database) -> None:
    call = database.call(100, name="Contoso")
    database.recording(call, **database.sound("one", seconds=30.0), duration_ms=30_000)
    with StubRecorder(run_dir, [live_line()]) as recorder, serving(data_dir, run_dir) as served, chromium() as browser:
        page = browser.new_page(locale="en-US")
        wrong = watched(page)
        first_run(page, served)

        page.wait_for_selector(".line-card[data-phase=idle]")
        assert page.inner_text(".health [data-text]") == "Live"
        recorder.say_line(
            live_line(phase="ringing", call=live_call(status="ringing", answered_utc_ms=None, name=HOSTILE))
        )
        page.wait_for_selector(".line-card[data-phase=ringing]")
        assert page.inner_text("[data-party]") == HOSTILE
        recorder.say_line(live_line(phase="talking", recording=True, call=live_call()))
        page.wait_for_selector(".line-card[data-phase=talking] footer:not([hidden])")
        recorder.say_levels(fxo_1=[-20.0])
        page.wait_for_selector(".level")
        recorder.say("alarm", alarm=alarm())
        page.click(".alarm button")
        eventually(lambda: recorder.acknowledged == [(1, "owner")], "the alarm is acknowledged")

        page.click("nav >> text=Calls")
        page.click("call-player button")
        eventually(lambda: position_s(page) > 0.4, "the recording plays")
        assert page.evaluate("document.querySelector('audio').currentSrc").endswith(".mp4")
        page.fill("call-player input[type=range]", "21")
        eventually(lambda: position_s(page) > 21.2, "the recording plays on from where it was moved to")
        assert page.evaluate("document.querySelector('audio').duration") == pytest.approx(30, abs=0.2)
        page.click("call-player button")
        assert page.evaluate("document.querySelector('audio').paused")
        assert wrong == []


def test_a_call_shows_up_and_ends_on_the_open_list(data_dir: Path, run_dir: Path, database: Database) -> None:
    database.call(1)
    with StubRecorder(run_dir, [live_line()]) as recorder, serving(data_dir, run_dir) as served, chromium() as browser:
        page = browser.new_page(locale="zh-CN")
        wrong = watched(page)
        first_run(page, served)
        page.click("nav >> text=通话")
        page.wait_for_selector(".health[data-link=up]")
        call = database.call(50, status="talking", ended_utc_ms=None, outcome=None)
        recorder.say("call", call=live_call(id=call))
        page.click("[data-new]")  # rows do not move under the reader: a new call waits behind a button
        page.wait_for_selector(f'[data-call="{call}"] >> text=正在通话')
        database.conn.execute(
            "UPDATE call SET status = 'ended', outcome = 'answered', ended_utc_ms = 1 WHERE id = ?", (call,)
        )
        recorder.say("call", call=live_call(id=call, status="ended"))
        page.wait_for_selector(f'[data-call="{call}"] >> text=已接听')
        assert page.locator(".call").count() == 2
        assert wrong == []


def test_a_call_that_ended_while_the_stream_was_lost_ends_on_the_open_list(
    data_dir: Path, run_dir: Path, database: Database
) -> None:
    call = database.call(50, status="talking", ended_utc_ms=None, outcome=None)
    recorder = StubRecorder(run_dir, [live_line()])
    with recorder, serving(data_dir, run_dir) as served, chromium() as browser:
        page = browser.new_page(locale="en-US")
        first_run(page, served)
        page.click("nav >> text=Calls")
        page.wait_for_selector(f'[data-call="{call}"][data-status=talking]')
        recorder.server.stop()
        page.wait_for_selector("live-banners .alert >> text=The recorder is not running")
        database.conn.execute(
            "UPDATE call SET status = 'ended', outcome = 'answered', ended_utc_ms = 1 WHERE id = ?", (call,)
        )
        with StubRecorder(run_dir, [live_line()]):
            page.wait_for_selector(f'[data-call="{call}"][data-status=ended]')


def test_a_recorder_that_goes_is_told_with_the_age_of_the_data(data_dir: Path, run_dir: Path) -> None:
    recorder = StubRecorder(run_dir, [live_line()])
    with recorder, serving(data_dir, run_dir) as served, chromium() as browser:
        page = browser.new_page(locale="en-US")
        first_run(page, served)
        page.wait_for_selector(".line-card")
        recorder.server.stop()
        page.wait_for_selector("live-banners .alert >> text=The recorder is not running")
        page.wait_for_selector("live-banners .alert >> text=old.")
        assert page.locator(".line-card").count() == 1
        with StubRecorder(run_dir, [live_line(), live_line("sim-1", label="SIM")]):
            page.wait_for_selector("text=SIM")
            page.wait_for_selector("live-banners .alert", state="detached")


def test_a_line_in_a_call_that_is_not_recorded_is_a_red_banner(data_dir: Path, run_dir: Path) -> None:
    unsafe = live_line(phase="talking", recording=False, sound="lost", call=live_call())
    with StubRecorder(run_dir, [unsafe]) as recorder, serving(data_dir, run_dir) as served, chromium() as browser:
        page = browser.new_page(locale="en-US")
        first_run(page, served)
        page.wait_for_selector("text=NOT RECORDING on Front desk")
        recorder.say_line(live_line(phase="talking", recording=True, call=live_call()))
        page.wait_for_selector("live-banners .alert", state="detached")


@pytest.mark.parametrize("path", ["/live/", "/calls/"])
def test_nothing_sticks_out_on_a_small_phone(data_dir: Path, run_dir: Path, database: Database, path: str) -> None:
    call = database.call(
        1, name="A very long name of a company that sells telephones, Ltd", number="+86105550123412345"
    )
    for part in (1, 2):
        database.recording(call, part, **database.sound("one", seconds=1), cut_short=1)
    lines = [
        live_line(label="An-unusually-long-label-of-a-line-that-nobody-can-break", phase="talking", call=live_call())
    ]
    with StubRecorder(run_dir, lines), serving(data_dir, run_dir) as served, chromium() as browser:
        page = browser.new_page(viewport={"width": 320, "height": 640}, locale="zh-CN")
        first_run(page, served)
        page.goto(served.address + path)
        page.wait_for_selector(".line-card, .player")
        assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_the_server_stops_at_once_with_a_page_open(data_dir: Path, run_dir: Path) -> None:
    with StubRecorder(run_dir, [live_line()]), serving(data_dir, run_dir) as served, chromium() as browser:
        page = browser.new_page()
        first_run(page, served)
        page.wait_for_selector(".line-card")
        served.process.terminate()
        assert served.process.wait(8) == 0


def test_the_settings_show_what_each_line_hears(tmp_path: Path) -> None:
    with office(tmp_path) as (served, recorder), chromium() as browser:
        page = browser.new_page(locale="en-US")
        first_run(page, served)
        page.goto(f"{served.address}/settings/lines/")
        page.wait_for_selector(".health[data-link=up]")
        page.wait_for_selector("line-levels[data-line=fxo-1] >> text=No sound is heard at the moment.")

        def heard() -> bool:
            recorder.say_levels(fxo_1=[-12.0, -30.0])
            return bool(page.locator("line-levels[data-line=fxo-1] .level").count() == 2)

        eventually(heard, "both sides have a meter", 60.0)
        assert page.locator("line-levels[data-line=sim-1] .level").count() == 0
        page.wait_for_selector("line-levels[data-line=fxo-1] >> text=No sound is heard at the moment.")
