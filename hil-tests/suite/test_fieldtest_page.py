"""A technician leads the field test with a phone, in both languages; a reload in the middle loses nothing."""

from __future__ import annotations

import pytest
from hil.bench import Bench
from hil.phone import PHONE, Technician
from playwright.sync_api import Page

from tests.webui.browser import chromium, first_run, serving

pytestmark = [pytest.mark.needs_street, pytest.mark.needs_browser, pytest.mark.timeout(900)]


@pytest.mark.parametrize(("locale", "line", "passed"), [("en-US", "fxo-2", "passed"), ("zh-CN", "sim-2", "合格")])
def test_a_line_passes_on_a_phone(bench: Bench, locale: str, line: str, passed: str) -> None:
    data, run_dir, street = bench.folder / "data", bench.folder / "run", bench.folder / "street" / "street.sock"
    (data / "web.db").unlink(missing_ok=True)
    with serving(data, run_dir) as served, chromium() as browser:
        page = browser.new_context(locale=locale, viewport=PHONE).new_page()
        first_run(page, served)
        reloaded: list[str] = []

        def reload(act: str) -> None:
            if act == "quiet":
                page.reload()
                reloaded.append(act)

        assert Technician(page, served.address, street, reload).test(line, "李伟 Li Wei") == passed
        assert reloaded
        assert files_of(page) == 3


def files_of(page: Page) -> int:
    """How many files the certificate has, once it is made."""
    page.click("form[enctype] button")
    page.wait_for_selector(".files a")
    return len(page.query_selector_all(".files a"))
