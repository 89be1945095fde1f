"""An office that has its calls already, in a real browser and both languages: many calls at once, a view of one's own,
what would be deleted, who is refused what, a box that goes away and comes back, no mouse, and 400 %."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.webui.box import PASSWORD, StubRecorder, live_line
from tests.webui.browser import CHROMIUM, serving
from tests.webui.journey import CHINESE_FIRST, ENGLISH_FIRST, Visit, eventually, log_in, make_owner, office_box, visit
from tests.webui.showcase import CALL, office
from tests.whole.house import House
from webui.permissions import Permission
from webui.users.people import People
from webui.users.roles import PRESETS
from webui.users.store import UserStore

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed"),
]
FOCUS = """() => {
  const near = (one, other) => one.contains(other) || other.contains(one);
  const focused = document.activeElement, style = getComputedStyle(focused), box = focused.getBoundingClientRect();
  const seen = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
  return {
    what: focused.outerHTML.slice(0, 160),
    drawn: style.outlineStyle !== 'none' && style.outlineWidth !== '0px' || style.boxShadow !== 'none',
    over: seen === null ? 'the edge of the window' : near(focused, seen) ? '' : seen.outerHTML.slice(0, 160),
  };
}"""
"""What has the focus, whether one sees that it has, and whether nothing lies over it."""


@pytest.mark.parametrize("language", CHINESE_FIRST)
def test_an_office_looks_after_its_calls(browser: Browser, tmp_path: Path, language: str) -> None:
    with office_box(tmp_path) as (house, served), visit(browser, served, language) as here:
        make_owner(here)
        _many_at_once(here, house)
        _a_view_of_her_own(here)
        _a_stretch_and_one_side(here)
        _before_anything_is_deleted(here, house)
        assert here.wrong == []


def _calls(house: House, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(house.box.data / "offhook.db")) as database:
        return database.execute(sql).fetchall()


def _tick(page: Page, *rows: int) -> None:
    for row in rows:
        page.locator("[data-pick]").nth(row).check()
    page.wait_for_selector("[data-bulk]:not([hidden])")


def _many_at_once(here: Visit, house: House) -> None:
    page = here.page
    here.go("/calls/?q=Fabrikam")
    eventually(lambda: page.locator(".call").count() == 5, "the five calls of one company are found")
    _tick(page, 0, 1)
    page.locator("[data-bulk]").get_by_role("button", name=here.say("Tag"), exact=True).click()
    page.fill("#bulk-add", "老客户, vip")
    page.keyboard.press("Enter")
    page.locator("main").get_by_text(here.say.count("%(num)d call tagged.", "%(num)d calls tagged.", 2)).wait_for()
    assert page.locator(".call .tag-chip >> text=老客户").count() == 2
    assert "q=Fabrikam" in page.url  # still the list that she had

    _tick(page, 0)
    page.locator("[data-bulk]").get_by_role("button", name=here.say("Reviewed"), exact=True).click()
    page.locator(".call >> nth=0").get_by_text(here.say("Reviewed")).wait_for(state="attached")

    _tick(page, 2)
    page.locator("[data-bulk]").get_by_role("button", name=here.say("Protect"), exact=True).click()
    here.button("Protect", "dialog[open]")  # without a reason it stays open
    assert page.locator("dialog[open] [aria-invalid=true]").count() == 1
    page.fill("dialog[open] [name=reason]", "complaint")
    here.button("Protect", "dialog[open]")
    page.locator("main").get_by_text(
        here.say.count("%(num)d call is protected now.", "%(num)d calls are protected now.", 1)
    ).wait_for()

    _tick(page, 0)
    page.locator("[data-all-here]").check()
    page.locator("[data-bulk]").get_by_role("button", name=here.say("Delete"), exact=True).click()
    page.fill("dialog[open] [name=reason]", "asked for by the caller")
    here.button("Delete for ever", "dialog[open]")
    page.locator("main").get_by_text(
        here.say.count("%(num)d protected call was left alone.", "%(num)d protected calls were left alone.", 1)
    ).wait_for()
    left = _calls(
        house,
        "SELECT r.status FROM recording r JOIN call c ON c.id = r.call_id "
        "WHERE c.name = 'Fabrikam' AND r.status = 'sealed'",
    )
    assert left == [("sealed",)]  # the protected one
    assert page.locator(".call").count() == 5  # that there were calls stays in the list

    _tick(page, 0, 2)
    with page.expect_download() as got:
        page.locator("[data-bulk]").get_by_role("button", name="CSV").click()
    assert len(Path(got.value.path()).read_text("utf-8-sig").splitlines()) == 3
    _tick(page)
    with page.expect_download() as got:  # a second time from the same page
        page.locator("[data-bulk]").get_by_role("button", name="XLSX").click()
    assert Path(got.value.path()).read_bytes()[:2] == b"PK"


def _a_view_of_her_own(here: Visit) -> None:
    page = here.page
    here.go("/calls/?tag=回访&direction=incoming")
    found = page.locator(".call").count()
    assert 0 < found < 40
    here.button("Save this view")
    page.fill("dialog[open] [name=name]", "回访 incoming")
    here.button("Save", "dialog[open]")
    here.sees("View saved.")
    here.go("/calls/")
    page.locator(".view a").get_by_text("回访 incoming").click()
    page.wait_for_selector(".view a[aria-current=true]")
    assert page.locator(".call").count() == found
    assert page.input_value("[name=direction]") == "incoming"
    page.get_by_role("button", name=here.say("Remove the view %(name)s", name="回访 incoming")).click()
    page.wait_for_url("**/calls/")
    assert page.locator(".view").count() == 0


SIDES = """
const make = AudioContext.prototype.createGain;
window.sides = [];
AudioContext.prototype.createGain = function () {
  const gain = make.call(this), heard = this.createAnalyser();
  gain.connect(heard);
  window.sides.push(heard);
  return gain;
};
window.loud = (side) => {
  const samples = new Float32Array(window.sides[side].fftSize);
  window.sides[side].getFloatTimeDomainData(samples);
  return Math.max(...samples.map(Math.abs));
};
"""
"""Lets the test hear what the page's player makes of each side."""


def _a_stretch_and_one_side(here: Visit) -> None:
    page = here.page
    page.add_init_script(SIDES)
    here.go(f"/calls/{CALL}")
    page.wait_for_selector("call-wave[data-ready]")
    for at_s, button in ((1, "from"), (3, "to")):  # the other side talks from 0 to 4 s
        page.locator("[data-seek]").fill(str(at_s))
        eventually(lambda at_s=at_s: abs(_heard_s(page) - at_s) < 0.1, f"the sound is at {at_s} s")
        page.click(f"[data-loop-{button}]")
    page.click(".wave-play")
    for _ in range(2):
        eventually(lambda: _heard_s(page) > 2.3, "the end of the stretch")
        eventually(lambda: _heard_s(page) < 1.7, "it begins again")
    page.select_option("[data-side]", "1")
    eventually(lambda: page.evaluate("window.loud(0)") == 0, "the other side is silent")
    page.select_option("[data-side]", "0")
    eventually(lambda: page.evaluate("window.loud(0)") > 0.01, "the other side alone is heard")
    page.select_option("[data-side]", "")
    page.click("[data-loop-off]")
    eventually(lambda: _heard_s(page) > 4.1, "it goes on behind the stretch")
    eventually(lambda: page.evaluate("window.loud(1)") > 0.01, "and so is one's own side")
    page.click(".wave-play")


def _heard_s(page: Page) -> float:
    return float(page.evaluate("document.querySelector('audio').currentTime"))


def _before_anything_is_deleted(here: Visit, house: House) -> None:
    page = here.page
    sealed = _calls(house, "SELECT count(*) FROM recording WHERE status = 'sealed'")
    here.go("/settings/storage/")
    page.fill("[name=days]", "7")
    here.button("Preview")
    here.sees("What these rules would delete now")
    would = int(sealed[0][0]) - 1  # type: ignore[call-overload]  # all but the protected one
    page.locator("#preview").get_by_text(here.say.count("%(num)d recording", "%(num)d recordings", would)).wait_for()
    here.sees("This is so much that the box would ask again before it deletes.")
    assert page.locator("#preview tbody tr").count() == would
    assert _calls(house, "SELECT count(*) FROM recording WHERE status = 'sealed'") == sealed
    page.locator("main form").get_by_role("button", name=here.say("Save"), exact=True).click()
    page.locator(".alert-success").wait_for()
    house.box.command("janitor", well=(0, 1))
    assert _calls(house, "SELECT count(*) FROM recording WHERE status = 'sealed'") == sealed
    here.go("/settings/storage/")
    here.sees("A decision is waiting")
    here.button("No, keep them")
    here.sees("Nothing is deleted. Change the rules, or you are asked again in a week.")
    assert _calls(house, "SELECT count(*) FROM recording WHERE status = 'sealed'") == sealed


DENIED = {
    "/settings/people/": Permission.USERS,
    "/settings/storage/": Permission.CONFIGURE,
    "/settings/lines/": Permission.HARDWARE,
    "/settings/audit/": Permission.AUDIT,
    "/settings/system/": Permission.SYSTEM,
}
"""Pages that one permission opens; a test of every route and role: tests/webui/test_permissions.py."""


@pytest.mark.parametrize("language", ENGLISH_FIRST)
def test_each_role_sees_what_is_hers_and_reads_why_not(browser: Browser, tmp_path: Path, language: str) -> None:
    with office(tmp_path) as (served, _recorder):
        with visit(browser, served, language) as owner:
            make_owner(owner)
        store = UserStore(tmp_path / "data" / "web.db")
        people = People(store)
        for role in sorted(PRESETS.keys() - {"admin"}):
            people.add(role, PASSWORD, role)
        agent = next(each for each in people.listed() if each.name == "agent")
        people.change(agent.id, role="agent", department=None, disabled=False, lines=["sim-1"])
        store.close()
        for role in sorted(PRESETS.keys() - {"admin"}):
            with visit(browser, served, language) as here:
                log_in(here, role)
                _is_refused(here, role)
                _finds_what_is_hers(here, role)


def _is_refused(here: Visit, role: str) -> None:
    page = here.page
    here.go("/settings/")
    offered = {str(link.get_attribute("href")) for link in page.locator("main .place").all()}
    for path, permission in DENIED.items():
        assert (path in offered) is (permission in PRESETS[role]), (role, path)
    # Whoever types the address all the same: two are enough here, and "/calls/export.csv" is nobody's link.
    refused = [path for path, permission in DENIED.items() if permission not in PRESETS[role]][:2]
    for path in [*refused, *([] if Permission.EXPORT in PRESETS[role] else ["/calls/export.csv"])]:
        here.go(path)
        page.locator("main").get_by_text(here.say("Error %(n)s", n=403)).wait_for()
        # The sentence says what is missing and who can give it, in the reader's language.
        head, tail = here.say(
            "Your role does not include: %(what)s. An admin of this box can give it.", what="|"
        ).split("|")
        said = page.inner_text("main")
        assert head in said, role
        assert tail in said, role
    here.wrong.clear()  # the browser itself notes each 403


def _finds_what_is_hers(here: Visit, role: str) -> None:
    page = here.page
    here.go("/calls/")
    page.wait_for_selector(".call")
    may = PRESETS[role]
    lines = set(page.locator(".call-line").all_inner_texts())
    assert lines == ({"Mobile"} if role == "agent" else {"Mobile", "Front desk"})
    assert (page.locator("call-player").count() > 0) is (Permission.LISTEN in may)
    assert (page.locator(".export").count() > 0) is (Permission.EXPORT in may)
    assert (page.locator("#bulk-delete").count() > 0) is (Permission.DELETE in may)
    assert (page.locator("#bulk-tag").count() > 0) is (Permission.ANNOTATE in may)
    here.go(f"/calls/{CALL}")  # a call of the front desk
    if role == "agent":
        here.sees("There is no such call, or it is not one of your lines.")
    elif Permission.LISTEN in may:
        page.wait_for_selector("call-wave[data-ready]")
    else:
        here.sees("Your role does not include listening.")
        assert page.locator("audio").count() == 0
    here.go("/live/")
    page.wait_for_selector(".line-card")
    assert page.locator(".line-card").count() == (1 if role == "agent" else 4)


@pytest.mark.parametrize("language", CHINESE_FIRST)
def test_a_box_that_goes_away_and_comes_back(browser: Browser, data_dir: Path, run_dir: Path, language: str) -> None:
    with (
        StubRecorder(run_dir, [live_line()]),
        serving(data_dir, run_dir) as first,
        visit(browser, first, language) as here,
    ):
        make_owner(here)
        here.go("/live/")
        page = here.page
        page.wait_for_selector(".line-card")
        _has_link(here, "Live")
        first.process.kill()
        first.process.wait(10)
        here.sees("The connection to the box is lost; trying again.", "live-banners")
        page.locator("live-banners [data-age]").get_by_text(
            here.say("What you see is %(age)s old.", age="|").split("|")[0].strip()
        ).wait_for()
        _has_link(here, "No live data")
        page.wait_for_selector("live-board.is-stale")
        assert page.locator(".line-card").count() == 1  # what was known stays on the page, marked as old
        with serving(data_dir, run_dir, port=int(first.address.rpartition(":")[2])):
            page.wait_for_selector("live-banners .alert", state="detached", timeout=45_000)
            _has_link(here, "Live")
            page.wait_for_selector("live-board:not(.is-stale)")
            assert page.locator(".line-card").count() == 1


def _has_link(here: Visit, sentence: str) -> None:
    here.page.locator(".health [data-text]").get_by_text(here.say(sentence), exact=True).wait_for()


@pytest.mark.parametrize("language", ENGLISH_FIRST)
def test_a_call_is_found_heard_and_kept_without_a_mouse(browser: Browser, tmp_path: Path, language: str) -> None:
    with office(tmp_path) as (served, recorder):
        kept: list[object] = []

        def protect(*, calls: list[str], protected: bool, reason: str, by: str) -> dict[str, int]:
            kept.append((calls, protected, reason, by))
            return {"changed": len(calls)}

        recorder.answer("call.protect", protect, {"calls": list, "protected": bool, "reason": str, "by": str})
        with visit(browser, served, language) as here:
            make_owner(here)
            page, press = here.page, here.page.keyboard.press
            here.go("/live/")
            page.wait_for_selector(".line-card")
            press("Tab")
            assert page.evaluate("document.activeElement.className") == "skip"
            press("Enter")
            assert page.evaluate("document.activeElement.id") == "main"
            press("Control+k")
            page.keyboard.type("明天回访")
            press("Enter")
            page.wait_for_url("**/calls/?q=*")
            page.wait_for_selector(".call")
            assert page.locator(".call").count() == 1
            _tab_to(page, ".call-who a")
            press("Enter")
            page.wait_for_selector("call-wave[data-ready]")
            for key, speed in ((".", "1.25"), (",", "1")):
                press(key)
                assert page.input_value("[data-speed]") == speed
            press("k")
            eventually(lambda: page.evaluate("document.querySelector('audio').currentTime") > 0.3, "it plays")
            press("l")
            eventually(lambda: page.evaluate("document.querySelector('audio').currentTime") > 10, "ten seconds on")
            press("k")
            _tab_to(page, "[data-opens=protect]")
            press("Enter")
            page.wait_for_selector("dialog[open]")
            press("Escape")
            assert page.locator("dialog[open]").count() == 0
            assert page.evaluate("document.activeElement.dataset.opens") == "protect"  # back where she was
            press("Enter")
            _tab_to(page, "dialog[open] [name=reason]")
            page.keyboard.type("complaint")
            press("Enter")
            page.locator(".alert-success").wait_for()
            assert kept == [([CALL], True, "complaint", "owner")]
            page.wait_for_selector("call-wave[data-ready]")
            _every_stop(page)
            assert here.wrong == []


def _tab_to(page: Page, selector: str) -> None:
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"the Tab key does not reach {selector}")


def _every_stop(page: Page) -> None:
    """From the first to the last thing that takes the focus: it is drawn, nothing covers it, and nothing holds it."""
    page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
    for _ in range(200):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            return
        for _ in range(20):  # the browser scrolls to it a frame later
            stop = page.evaluate(FOCUS)
            if not stop["over"]:
                break
            page.wait_for_timeout(100)
        assert stop["drawn"], f"one does not see that this has the focus: {stop['what']}"
        assert not stop["over"], f"{stop['over']} lies over what has the focus: {stop['what']}"
    raise AssertionError("the focus never leaves the page again")


@pytest.mark.parametrize("language", CHINESE_FIRST)
def test_a_call_is_found_heard_and_kept_at_400_percent(browser: Browser, tmp_path: Path, language: str) -> None:
    """A window of 1280 x 1024 at 400 % has 320 x 256 of the page's own pixels (WCAG 2.2, 1.4.10)."""
    with (
        office(tmp_path) as (served, _recorder),
        visit(browser, served, language, width=320, height=256, scale=4) as here,
    ):
        page = here.page
        make_owner(here)
        here.go("/live/")
        page.wait_for_selector(".line-card")
        _fits(page)
        _every_stop(page)
        page.locator("nav.rail").get_by_text(here.say("Calls"), exact=True).click()
        page.wait_for_url("**/calls/")
        page.wait_for_selector("live-health[data-link=up]", state="attached")  # the scripts are there
        page.fill("#q", "回访客户")
        eventually(lambda: page.locator(".call").count() == 1, "the call is found")
        _fits(page)
        _every_stop(page)
        page.locator(".call-who a").click()
        page.wait_for_selector("call-wave[data-ready]")
        _fits(page)
        page.locator(".wave-play").click()
        eventually(lambda: page.evaluate("document.querySelector('audio').currentTime") > 0.3, "it plays")
        page.locator(".wave-play").click()
        _every_stop(page)
        here.button("Protect")
        page.fill("dialog[open] [name=reason]", "complaint")
        assert page.evaluate("document.querySelector('dialog[open]').scrollWidth") <= 320
        page.locator("dialog[open] footer .btn-primary").click(trial=True)  # it can be reached
        here.go("/settings/storage/")
        _fits(page)
        page.fill("[name=days]", "7")
        here.button("Preview")
        here.sees("What these rules would delete now")
        _fits(page)


STAYING = """[...document.querySelectorAll('.bar, nav.rail')]
  .filter(each => ['sticky', 'fixed'].includes(getComputedStyle(each).position))
  .reduce((sum, each) => sum + each.getBoundingClientRect().height, 0)"""


def _fits(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= 320, page.url
    # What stays in place while one scrolls leaves more than half of the window to read.
    assert page.evaluate(STAYING) <= 128, page.url
