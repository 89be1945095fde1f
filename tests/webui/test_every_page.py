"""Each page in each theme and language: axe finds nothing (WCAG 2.2 AA), nothing runs over the edge of a small phone,
the content policy is never violated, and the browser's console stays empty."""

from __future__ import annotations

import json
from pathlib import Path

import axe_playwright_python
import pyotp
import pytest
from flask import Flask
from playwright.sync_api import Browser, Page

from tests.webui.box import PASSWORD
from tests.webui.browser import CHROMIUM, Served
from tests.webui.pages import ELSEWHERE, MORE_STATES, NOT_A_PAGE, PAGES, WITHOUT_LOGIN
from tests.webui.showcase import dress, office, signed_in
from webui.users.people import People
from webui.users.second_factor import SecondFactor, new_secret
from webui.users.store import UserStore

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def violations(page: Page) -> list[str]:
    """What axe says against the page as it is now."""
    page.evaluate(AXE)
    found = page.evaluate(
        # Without its preload: it would put style sheets of its own into the page, which the page's policy refuses.
        "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations'], preload: false})"
        ".then(found => JSON.stringify(found.violations))",
        RULES,
    )
    return [
        f"{each['id']}: {node['html'][:160]} {node['any'][:1]}" for each in json.loads(found) for node in each["nodes"]
    ]


def test_each_page_is_in_the_list(app: Flask) -> None:
    routes = {rule.endpoint for rule in app.url_map.iter_rules() if "GET" in (rule.methods or set())}
    listed = PAGES.keys() | WITHOUT_LOGIN.keys() | NOT_A_PAGE | ELSEWHERE.keys()
    assert routes - listed == set(), "add each to tests/webui/pages.py"
    assert listed - routes == set(), "these are gone: take them out of tests/webui/pages.py"


def _look(browser: Browser, folder: Path, theme: str, language: str) -> list[str]:
    faults: list[str] = []
    with office(folder) as (served, _recorder):
        faults += _nobody_yet(browser, served, theme, language)
        context, page = signed_in(browser, served, first=True, width=320, height=640)
        seen: list[str] = []
        page.on("console", lambda message: seen.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: seen.append(str(error)))
        dress(context, served, theme, language)
        for name, address in (PAGES | MORE_STATES).items():
            page.goto(served.address + address)
            page.wait_for_selector("live-health[data-link=up]", state="attached")
            if name == "call.show":
                page.wait_for_selector("call-wave[data-ready]")
            where = f"{name} {theme} {language}"
            faults += _faults(page, where)
            # What the address does not have is said by the status too; that one line is the browser's own.
            faults += [f"{where}: {text}" for text in seen if not (name == "not-there" and "404" in text)]
            seen.clear()
        faults += _second_factor(browser, served, folder, theme, language)
        faults += _a_field_test(page, served, f"field test {theme} {language}")
        context.close()
    return faults


def _faults(page: Page, where: str) -> list[str]:
    width = page.evaluate("document.documentElement.scrollWidth")
    return [
        *(f"{where}: {each}" for each in violations(page)),
        *([f"{where}: {width} px wide at 320"] if width > 320 else []),
        *(f"{where}: {each} is not drawn" for each in page.evaluate(UNDRAWN)),
    ]


def _nobody_yet(browser: Browser, served: Served, theme: str, language: str) -> list[str]:
    """The pages of a box that has no account."""
    context = browser.new_context(viewport={"width": 320, "height": 640}, locale="en")
    page = context.new_page()
    dress(context, served, theme, language)
    found: list[str] = []
    for address in ("/first-run", "/first-run/restore"):
        page.goto(served.address + address)
        found += _faults(page, f"{address} {theme} {language}")
    context.close()
    return found


def _a_field_test(page: Page, served: Served, where: str) -> list[str]:
    """The page of a test that runs and asks something."""
    page.goto(f"{served.address}/fieldtest/")
    for other in page.locator("[name=subject]:not([value=fxo-2])").all():  # on a free line there is something to ask
        other.uncheck()
    page.click("main form[action$='/start'] button.btn-primary")
    page.wait_for_url("**/fieldtest/now")
    page.wait_for_selector("form[action$='/answer']")
    found = _faults(page, where)
    page.click("form:has([name=what][value=abort]) button")
    page.wait_for_url(f"{served.address}/fieldtest/*-*")
    return found


UNDRAWN = "[...document.images].filter(each => each.complete && !each.naturalWidth).map(each => each.src)"


def _second_factor(browser: Browser, served: Served, folder: Path, theme: str, language: str) -> list[str]:
    """The page between password and six digits."""
    name = f"mei-{theme}-{language}"
    store = UserStore(folder / "data" / "web.db")
    secret = new_secret()
    SecondFactor(store).switch_on(People(store).add(name, PASSWORD, "agent"), secret, pyotp.TOTP(secret).now())
    store.close()
    context = browser.new_context(viewport={"width": 320, "height": 640}, locale="en")
    page = context.new_page()
    dress(context, served, theme, language)
    page.goto(f"{served.address}/login")
    found = _faults(page, f"login {theme} {language}")
    page.fill("[name=name]", name)
    page.fill("[name=password]", PASSWORD)
    page.click("main button.btn-primary")
    page.wait_for_selector("[name=code]")
    found += _faults(page, f"second factor {theme} {language}")
    context.close()
    return found


@pytest.mark.browser
@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "zh_Hans_CN"])
def test_nothing_is_wrong_with_any_page(browser: Browser, tmp_path: Path, theme: str, language: str) -> None:
    found = _look(browser, tmp_path, theme, language)
    assert not found, "\n".join(found)
