"""``make screenshots``: every page light, dark, on a phone and in Chinese, into a folder to look at."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.webui.browser import chromium
from tests.webui.pages import MORE_STATES, PAGES
from tests.webui.showcase import dress, office, signed_in

LOOKS = {
    "light": ("light", "en", 1280),
    "dark": ("dark", "en", 1280),
    "phone": ("light", "en", 390),
    "zh": ("light", "zh_Hans_CN", 1280),
}


def main(target: Path, only: set[str]) -> None:
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, office(Path(folder)) as (served, recorder), chromium() as browser:
        first = True
        for look, (theme, language, width) in LOOKS.items():
            context, page = signed_in(browser, served, first=first, width=width)
            first = False
            dress(context, served, theme, language)
            for name, address in (PAGES | MORE_STATES).items():
                file = f"{name.removesuffix('.index').replace('.', '-').replace('_', '-')}-{look}.png"
                if only and file not in only:
                    continue
                page.goto(served.address + address)
                page.wait_for_function("document.querySelector('live-health')?.dataset.link === 'up'")
                if name == "call.show":
                    page.wait_for_selector("call-wave[data-ready]")
                if name == "live.index":
                    recorder.say_levels(fxo_1=[-18.0, -30.0])
                page.wait_for_timeout(400)
                page.screenshot(path=str(target / file), full_page=name == "call.show")
            context.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), set(sys.argv[2:]))
