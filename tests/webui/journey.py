"""What the journeys share: the real box behind the page, the words of a language, and a visit with a browser."""

from __future__ import annotations

import gettext
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.webui.box import PASSWORD, Database
from tests.webui.box import eventually as soon
from tests.webui.browser import Served, serving
from tests.webui.showcase import fill
from tests.whole.house import House
from webui.i18n import HTML_LANG
from webui.translations.update import CATALOGUE

ENGLISH_FIRST = ["en", pytest.param("zh_Hans_CN", marks=pytest.mark.soak)]
CHINESE_FIRST = ["zh_Hans_CN", pytest.param("en", marks=pytest.mark.soak)]
"""Each journey is taken in both languages, in one of them by every `make test`."""
LONG_AGO_S = 20 * 86_400
"""How old the calls of `office_box` are: every rule that goes by days has something to say about them."""


def eventually(condition: Callable[[], Any], what: str) -> Any:
    """As `tests.webui.box.eventually`, with the patience that a whole box and a browser ask for on a busy machine."""
    return soon(condition, what, 60.0)


class Words:
    """The sentences of the page in one language, so that both languages take the same way."""

    def __init__(self, language: str) -> None:
        self.language = language
        if language == "en":
            self._catalogue = gettext.NullTranslations()
        else:
            with CATALOGUE.with_suffix(".mo").open("rb") as file:
                self._catalogue = gettext.GNUTranslations(file)

    def __call__(self, sentence: str, **values: object) -> str:
        said = self._catalogue.gettext(sentence)
        assert self.language == "en" or said != sentence, f"not in the catalogue: {sentence}"
        return said % values if values else said

    def count(self, one: str, many: str, num: int) -> str:
        return self._catalogue.ngettext(one, many, num) % {"num": num}


@dataclass
class Visit:
    """A person in front of the page. ``wrong`` gathers what a browser complains about meanwhile."""

    page: Page
    served: Served
    say: Words
    wrong: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        self.page.goto(self.served.address + path)

    def button(self, sentence: str, within: str = "main") -> None:
        """Presses the button or link of this name."""
        place = self.page.locator(within)
        name = self.say(sentence)
        place.get_by_role("button", name=name, exact=True).or_(
            place.get_by_role("link", name=name, exact=True)
        ).first.click()

    def sees(self, sentence: str, within: str = "main", **values: object) -> None:
        """Waits until the sentence is to be read."""
        self.page.locator(within).get_by_text(self.say(sentence, **values)).first.wait_for()


@contextmanager
def visit(
    browser: Browser, served: Served, language: str, *, width: int = 1280, height: int = 860, scale: float = 1
) -> Iterator[Visit]:
    """A new browser of a person who reads ``language``; nobody is logged in."""
    context = browser.new_context(
        locale=HTML_LANG[language],
        viewport={"width": width, "height": height},
        device_scale_factor=scale,
        accept_downloads=True,
    )
    page = context.new_page()
    page.set_default_timeout(60_000)
    made = Visit(page, served, Words(language))
    page.on("pageerror", lambda error: made.wrong.append(str(error)))
    page.on("console", lambda said: made.wrong.append(said.text) if said.type == "error" else None)
    try:
        yield made
    finally:
        context.close()


def make_owner(here: Visit) -> None:
    """The first account, and past the assistant."""
    page = here.page
    here.go("/")
    page.fill("[name=code]", here.served.code)
    page.fill("[name=name]", "owner")
    page.fill("[name=password]", PASSWORD)
    page.fill("[name=password_again]", PASSWORD)
    page.click("main button.btn-primary")
    page.wait_for_url("**/setup/**")


def log_in(here: Visit, name: str, password: str = PASSWORD) -> None:
    page = here.page
    here.go("/login")
    page.fill("[name=name]", name)
    page.fill("[name=password]", password)
    page.click("main button.btn-primary")
    page.wait_for_selector("nav.rail", state="attached")


@contextmanager
def street_box(folder: Path) -> Iterator[tuple[House, Served]]:
    """A new box on a street with one telephone line: recorder and page as processes, nobody's account yet."""
    house = House(folder, analog=["fxo-1"])
    try:
        house.begin()
        with serving(house.box.data, house.box.run_dir) as served:
            yield house, served
    finally:
        house.close()


@contextmanager
def office_box(folder: Path) -> Iterator[tuple[House, Served]]:
    """A box that has forty calls of `LONG_AGO_S` ago and a recorder that keeps what people write; no line is busy."""
    house = House(folder)
    try:
        database = Database(house.box.data)
        fill(database, start_ms=round((time.time() - LONG_AGO_S) * 1000))
        database.close()
        house.begin()
        with serving(house.box.data, house.box.run_dir) as served:
            yield house, served
    finally:
        house.close()
