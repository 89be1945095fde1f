"""A person's first hour with the box, in a real browser: the assistant from zero, the first call from the street,
finding it, hearing it, writing on it, keeping it, taking the list away. The box is real; only the street is played."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.webui.browser import CHROMIUM
from tests.webui.journey import ENGLISH_FIRST, Visit, eventually, make_owner, street_box, visit
from tests.whole.house import House, talk

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed"),
]
FIRST, SECOND = "13800550123", "13912345678"
"""Who calls: the test call of the assistant, and the call that is listened to later."""


@pytest.mark.parametrize("language", ENGLISH_FIRST)
def test_from_an_empty_box_to_a_kept_call(browser: Browser, tmp_path: Path, language: str) -> None:
    with street_box(tmp_path) as (house, served), visit(browser, served, language) as here:
        _set_up(here, house)
        _watch_a_call(here, house)
        _find_and_hear(here)
        _write_and_keep(here)
        _take_away(here)
        assert here.wrong == []


def _set_up(here: Visit, house: House) -> None:
    page = here.page
    make_owner(here)
    page.wait_for_url("**/setup/box")
    page.fill("[name=name]", "Contoso 前台")
    page.select_option("[name=time_zone]", "Europe/Berlin")
    here.button("Next")
    page.wait_for_url("**/setup/network")
    assert "127.0.0.1" in page.inner_text("main")
    here.button("Next")
    page.wait_for_url("**/setup/lines")
    here.sees("Free")
    here.button("Next")
    page.wait_for_url("**/setup/test")
    here.sees("Waiting")

    # Whoever is called away in the middle comes back to where she was.
    here.go("/live/")
    here.go("/setup/")
    page.wait_for_url("**/setup/test")
    house.play(talk("fxo-1", number=FIRST, answer_after_s=6.5))
    cells = page.locator("#test-now tbody td")
    cells.nth(1).get_by_text(here.say("Seen")).wait_for()  # the ring
    cells.nth(2).get_by_text(FIRST).wait_for()
    cells.nth(4).get_by_text(here.say("Seen")).wait_for()  # the hang-up
    cells.nth(3).get_by_text("dB").first.wait_for()
    assert cells.nth(3).get_by_text("dB").count() == len(house.sealed_calls()[-1]["recordings"][0]["roles"])

    here.button("Next")
    page.wait_for_url("**/setup/recording")
    page.fill("[name=never]", "95588")
    here.button("Next")
    page.wait_for_url("**/setup/storage")
    page.fill("[name=days]", "365")
    here.button("Back")
    page.wait_for_url("**/setup/recording")
    assert page.input_value("[name=never]") == "95588"
    here.go("/setup/storage")
    page.fill("[name=days]", "365")
    here.button("Next")
    page.wait_for_url("**/setup/trust")
    eventually(lambda: page.evaluate("document.querySelector('.qr img').naturalWidth") > 0, "the code can be scanned")
    here.button("Next")
    page.wait_for_url("**/setup/end")
    here.button("To the lines")
    page.wait_for_url("**/live/")
    settings = house.ask("config.get")["document"]
    for kept in ("Contoso 前台", "Europe/Berlin", "95588", "days = 365"):
        assert kept in settings


def _watch_a_call(here: Visit, house: House) -> None:
    page = here.page
    card = page.locator("[data-line=fxo-1]")
    card.locator("xpath=self::*[@data-phase='idle']").wait_for()
    talked = [{"side": side, "prompt": f"{side[0]}0{n}"} for n in (1, 2) for side in ("local", "remote")]
    house.play(talk("fxo-1", number=SECOND, answer_after_s=6.5, talk=talked))
    page.wait_for_selector("[data-line=fxo-1][data-phase=ringing]")
    card.get_by_text(here.say("Ringing"), exact=True).wait_for()
    card.get_by_text(SECOND).wait_for()
    page.wait_for_selector("[data-line=fxo-1][data-phase=talking]")
    card.locator("footer").get_by_text(here.say("Recording"), exact=True).wait_for()
    eventually(lambda: _loudest(page) > 0.2, "a level meter moves with what is said")
    card.get_by_role("button", name=here.say("Listen in")).click()
    assert card.locator("[data-listen]").get_attribute("aria-pressed") == "true"
    eventually(lambda: card.locator("[data-timer]").inner_text() not in ("", "00:00"), "the timer counts")
    page.wait_for_selector("[data-line=fxo-1][data-phase=idle]", timeout=60_000)
    eventually(lambda: card.locator("[data-listen]").get_attribute("aria-pressed") == "false", "listening ends with it")
    eventually(lambda: page.inner_text("[data-today=calls]") == "2", "the strip counts it")


def _loudest(page: Page) -> float:
    """How far the meters stand out, 0 to 1."""
    shares = "[...document.querySelectorAll('.level > i')].map(bar => new DOMMatrix(getComputedStyle(bar).transform).a)"
    return max([0.0, *page.evaluate(shares)])


def _find_and_hear(here: Visit) -> None:
    page = here.page
    page.locator("nav.rail").get_by_text(here.say("Calls"), exact=True).click()
    page.wait_for_url("**/calls/")
    page.wait_for_selector("live-health[data-link=up]", state="attached")  # the scripts are there
    page.fill("#q", SECOND[4:])
    row = page.locator(".call")
    eventually(lambda: row.count() == 1, "part of the number finds the one call")
    assert SECOND in row.inner_text()
    page.wait_for_url(f"**/calls/?*q={SECOND[4:]}*")
    page.wait_for_selector(".call call-player", timeout=60_000)
    row.locator("call-player button").click()
    eventually(lambda: _position_s(page) > 0.3, "it plays in the list")
    row.locator(".call-who a").click()
    page.wait_for_selector("call-wave[data-ready]")
    here.sees("Back to the list")
    assert page.evaluate("performance.getEntriesByType('resource').filter(e => e.name.includes('/media/')).length") == 0
    page.keyboard.press("k")
    eventually(lambda: _position_s(page) > 0.4, "the recording plays")
    page.keyboard.press("k")
    assert page.evaluate("document.querySelector('audio').paused")
    page.locator("[data-seek]").fill("3")
    eventually(lambda: abs(_position_s(page) - 3) < 0.3, "the slider moves it")


def _position_s(page: Page) -> float:
    return float(page.evaluate("Math.max(...[...document.querySelectorAll('audio')].map(each => each.currentTime))"))


def _write_and_keep(here: Visit) -> None:
    page = here.page
    page.keyboard.press("m")
    page.fill("[data-mark-form] [name=text]", "price named")
    page.locator("[data-mark-form]").get_by_role("button", name=here.say("Save"), exact=True).click()
    here.sees("Marker set.")
    assert "price named" in page.inner_text(".markers")
    page.fill("textarea[name=text]", "明天回访客户。")
    here.button("Save note")
    here.sees("Note saved.")
    page.fill("#add-tag", "offer")
    page.keyboard.press("Enter")
    page.wait_for_selector(".tags >> text=offer")
    here.button("Protect")
    page.fill("dialog[open] [name=reason]", "complaint 4711")
    here.button("Protect", "dialog[open]")
    page.locator(".call-states").get_by_text(here.say("Protected")).wait_for()
    assert page.get_by_role("button", name=here.say("Delete"), exact=True).count() == 0
    here.sees("listened")

    here.go("/calls/?q=回访")  # two characters, which the usual word indexes do not find
    row = page.locator(".call")
    row.first.wait_for()
    assert row.count() == 1
    assert row.get_by_text(here.say("Protected")).count() == 1
    here.go("/settings/audit/")
    assert "complaint 4711" in page.inner_text("main")


def _take_away(here: Visit) -> None:
    page = here.page
    here.go("/calls/")
    page.locator(".export summary").click()
    with page.expect_download() as got:
        page.locator(".export").get_by_role("link", name="CSV").click()
    assert got.value.suggested_filename.endswith(".csv")
    heads, *rows = csv.reader(io.StringIO(Path(got.value.path()).read_text("utf-8-sig")))
    assert here.say("Number") in heads
    assert [row[heads.index(here.say("Number"))] for row in rows] == [SECOND, FIRST]
    with page.expect_download() as got:
        page.locator(".export").get_by_role("link", name="XLSX").click()
    with zipfile.ZipFile(got.value.path()) as book:
        cells = b"".join(book.read(name) for name in book.namelist() if "sheet" in name or "Strings" in name)
    assert SECOND.encode() in cells
    assert "明天回访客户。".encode() in cells
