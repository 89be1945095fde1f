"""A technician with a phone: leads a field test on the page, while the street does what the page asks for."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page

from simulator.street_client import order

PHONE = {"width": 390, "height": 844}
_RUN_S = 240.0
_SECONDS = {"quiet": 4.6, "far": 4.8, "near": 4.8}
_NO_ACT = ("listen", "failed")


class Technician:
    """Works on ``page``, which is logged in; ``street``: the street's control socket."""

    def __init__(self, page: Page, address: str, street: Path, shoot: Callable[[str], None] | None = None) -> None:
        self._page = page
        self._address = address
        self._street = street
        self._shoot = shoot or (lambda _name: None)

    def test(self, line: str, technician: str) -> str:
        """Leads through the test of one line; returns the verdict as the page words it."""
        page = self._page
        page.goto(f"{self._address}/fieldtest/")
        page.fill("input[name=technician]", technician)
        for box in page.query_selector_all("input[name=subject]"):
            box.set_checked(box.get_attribute("value") == line)
        self._shoot("start")
        page.click("form button.big")
        until_s = time.monotonic() + _RUN_S
        while "/now" in page.url:
            assert time.monotonic() < until_s, "the field test is not over in time"
            act = self._asked()
            if act is None:
                page.wait_for_timeout(200)
                continue
            self._shoot(act)
            if act not in _NO_ACT:
                order(self._street, "act", line=line, act=act, seconds=_SECONDS.get(act, 0))
            with page.expect_navigation():
                page.click(
                    "#guide button.big.btn-primary" if act != "failed" else "#guide button.big:not(.btn-primary)"
                )
        page.wait_for_selector(".verdict.large")
        self._shoot("result")
        return page.inner_text(".verdict.large")

    def _asked(self) -> str | None:
        """The act that the page asks for; None while the box watches, or the results come."""
        try:
            picture = self._page.query_selector("#guide:has(button) img.guide-picture")
            address = picture.get_attribute("src") if picture is not None else None
        except PlaywrightError:  # the page changed meanwhile
            return None
        return None if address is None else re.sub(r"\W.*", "", address.rpartition("/")[2])
