"""Hostile text in every field, query and path of every page: none of it becomes a tag, an attribute, a script's link or
a template's code, neither as the page is sent nor as the browser has it."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page

from tests.security.conftest import ADDRESSES, Attacked, listening
from tests.security.seeded import HOLES, seeded_app
from tests.security.surface import FIRST_RUN, Target, routes_left, send, spread, targets
from tests.webui.box import BROWSER, Database, StubRecorder, alarm, live_call, live_line
from tests.webui.browser import CHROMIUM, chromium, first_run, serving

pytestmark = [pytest.mark.security, pytest.mark.timeout(1200)]

HURT = [
    "<x-hurt>a", '"><x-hurt>b', "'><x-hurt>c", '" data-hurt="d', "' data-hurt='e", "f data-hurt=g",
    "</textarea><x-hurt>h", "</script><x-hurt>i", "</title><x-hurt>j", "--><x-hurt>k", "javascript:window.hurt=1",
    "{{71*7717}}",
    "<img src=x onerror=window.hurt=1 data-hurt>", "<svg/onload=window.hurt=1 data-hurt>",
]  # fmt: skip
STRANGE = [
    "",
    "-1",
    "9" * 40,
    "9999-12-31",
    "0001-01-01",
    "x\x00y",
    "长" * 3000,
    "../../../etc/passwd",
    "%2e%2e%2f",
    "[]",
]
"""Hurts nobody, and must not be a fault of the page either."""
COUNTED = "547907"
"""What `{{71*7717}}` becomes where a template takes text for its own code."""


class Reader(HTMLParser):
    """Notes what of ``HURT`` came to life in a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        links = [value for name, value in attrs if name in ("href", "src", "action", "formaction")]
        if tag == "x-hurt" or any(name == "data-hurt" or name.startswith("on") for name, _ in attrs):
            self.found.append(self.get_starttag_text() or tag)
        if any((link or "").strip().casefold().startswith("javascript:") for link in links):
            self.found.append(self.get_starttag_text() or tag)

    handle_startendtag = handle_starttag


def hurts(html: str) -> list[str]:
    reader = Reader()
    reader.feed(html)
    return reader.found + ([COUNTED] if COUNTED in html else [])


@pytest.mark.parametrize("hole", sorted(HOLES))
def test_the_set_finds_each_kind_of_hole(hole: str) -> None:
    client = seeded_app().test_client()
    found = [each for each in HURT if hurts(client.get(f"/echo/{hole}", query_string={"said": each}).text)]
    assert found, hole
    assert not hurts(client.get(f"/echo/{hole}", query_string={"said": "harmless"}).text)


def test_the_set_finds_a_template_that_takes_text_for_code() -> None:
    client = seeded_app().test_client()
    assert any(hurts(client.get("/template", query_string={"said": each}).text) for each in HURT)


def test_nothing_hostile_comes_to_life(attacked: Attacked) -> None:
    found = targets(attacked.app, attacked.who, ADDRESSES)
    assert routes_left(attacked.app, found) == set()
    faults = _attack(attacked, [target for target in found if target.endpoint not in FIRST_RUN])
    for address in ADDRESSES:  # what was kept
        answer = attacked.who("").get(address, headers=BROWSER, follow_redirects=True)
        faults += [f"{address}: {each}" for each in hurts(answer.text)]
    assert faults == []


def test_nor_on_a_box_that_nobody_has_set_up(new_box: Attacked) -> None:
    found = targets(new_box.app, lambda _: new_box.who("auth.login"), ["/first-run", "/first-run/restore"])
    mine = [target for target in found if target.endpoint in FIRST_RUN]
    assert {target.endpoint for target in mine} == FIRST_RUN
    assert _attack(new_box, mine) == []


def _attack(attacked: Attacked, found: list[Target]) -> list[str]:
    """Sends each of ``HURT`` in each parameter. Gives what came to life."""
    faults, sent = [], 0
    for target in found:
        for kind, name in spread(target):
            for hurt in [*HURT, *STRANGE]:
                path, fields = _with(target, kind, name, hurt)
                answer = send(attacked.who(target.endpoint), target, fields, path)
                sent += 1
                if answer.status_code == 401 or answer.headers.get("Location", "").startswith("/login"):
                    attacked.forget()
                assert answer.status_code < 500 or answer.status_code == 503, (target.method, path, name, hurt)
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                if answer.mimetype == "text/html":
                    faults += [f"{target.method} {path} {name}: {each}" for each in hurts(answer.text)]
                answer.close()
    print(f"{len(found)} requests, {sum(len(list(spread(each))) for each in found)} parameters, {sent} sent")
    return faults


def _with(target: Target, kind: str, name: str, hurt: str) -> tuple[str, dict[str, str]]:
    if kind == "field":
        return target.path, target.fields | {name: hurt}
    return target.path.replace(f"/{name}", f"/{quote(hurt, safe='')}", 1), target.fields


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


LIVING = """() => [
  ...[...document.querySelectorAll('x-hurt, [data-hurt], [onerror], [onload], [href^="javascript:" i]')]
    .map(each => each.outerHTML.slice(0, 120)),
  ...(window.hurt ? ['a script ran'] : []),
]"""


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")
def test_the_browser_sees_what_a_script_brings_to_life(browser: Browser) -> None:
    with listening(seeded_app()) as address:
        page = browser.new_page()
        page.goto(f"{address}/drawn?said={quote(HURT[0])}")
        assert page.evaluate(LIVING)
        page.goto(f"{address}/drawn?said=harmless")
        assert page.evaluate(LIVING) == []
        page.close()


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")
def test_nor_does_the_browser_bring_a_callers_name_to_life(browser: Browser, data_dir: Path, run_dir: Path) -> None:
    database = Database(data_dir)
    for n, hurt in enumerate(HURT):
        line = f"fxo-{n + 2}"
        database.line(line, hurt)
        call = database.call(n * 100, line=line, name=hurt, number=hurt, end_reason=hurt)
        recording = database.recording(call, line=line, **database.sound(f"s{n}", 1.0), error=hurt, status="sealed")
        database.note(call, hurt)
        database.tag(call, hurt)
        database.annotate(
            "INSERT INTO call_marker (recording_id, at_ms, until_ms, text, by, at_utc_ms) VALUES (?, 5, NULL, ?, ?, 1)",
            call, recording, hurt, hurt, what="marker", value=hurt,
        )  # fmt: skip
    database.close()
    lines = [
        live_line(f"fxo-{n + 2}", label=hurt, fault={"en": hurt, "zh": hurt}, phase="talking",
                  call=live_call(f"fxo-{n + 2}", name=hurt, number=hurt))
        for n, hurt in enumerate(HURT)
    ]  # fmt: skip
    alarms = [
        alarm(n + 1, text={"en": hurt, "zh": hurt}, todo={"en": hurt, "zh": hurt}, subject=hurt)
        for n, hurt in enumerate(HURT)
    ]
    with StubRecorder(run_dir, lines, alarms), serving(data_dir, run_dir) as served:
        context = browser.new_context(user_agent=HURT[1])  # the list of sessions shows it
        page = context.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("dialog", lambda dialog: said.append(dialog.message))
        first_run(page, served)
        page.wait_for_selector(".line-card")
        faults = _living(page, "/live/")
        calls = [f"/calls/call{n * 100}-fxo-{n + 2}" for n in range(len(HURT))]
        for path in ("/calls/", "/account/", "/settings/people/", "/settings/alarms/", "/settings/audit/", *calls):
            page.goto(served.address + path)
            page.wait_for_selector("live-health[data-link=up]", state="attached")
            faults += _living(page, path)
        assert faults == []
        assert said == []
        context.close()


def _living(page: Page, path: str) -> list[str]:
    return [f"{path}: {each}" for each in page.evaluate(LIVING)]
