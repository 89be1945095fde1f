"""A passkey from its making to a login with it, with the authenticator that Chromium simulates (WebAuthn over CDP)."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.webui.browser import CHROMIUM, Served, chromium, serving
from tests.webui.journey import make_owner, visit

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed"),
]


def test_a_passkey_is_made_and_opens_the_box(data_dir: Path, run_dir: Path) -> None:
    with serving(data_dir, run_dir) as served, chromium() as browser:
        named = Served(served.address.replace("127.0.0.1", "localhost"), served.code, served.process)
        with visit(browser, named, "en") as here:
            page = here.page
            device = page.context.new_cdp_session(page)
            device.send("WebAuthn.enable")
            made = device.send(
                "WebAuthn.addVirtualAuthenticator",
                {
                    "options": {
                        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True,
                        "hasUserVerification": True, "isUserVerified": True, "automaticPresenceSimulation": True,
                    }
                },
            )  # fmt: skip
            authenticator = {"authenticatorId": made["authenticatorId"]}
            make_owner(here)
            here.go("/account/")
            here.button("Make a passkey on this device")
            page.wait_for_selector("table:has(caption:text('Passkeys')) tbody tr")
            (kept,) = device.send("WebAuthn.getCredentials", authenticator)["credentials"]
            assert kept["rpId"] == "localhost"
            here.button("Make a passkey on this device")  # one device, one passkey
            page.get_by_text("The browser made no passkey.").wait_for()
            assert len(device.send("WebAuthn.getCredentials", authenticator)["credentials"]) == 1

            _log_out(here.page)
            page.locator("pass-key button").click()
            page.wait_for_url("**/live/**")
            here.go("/settings/audit/")
            assert "passkey" in page.inner_text("main")

            # A key that the box does not know (any more) opens nothing.
            here.go("/account/")
            page.locator("table:has(caption:text('Passkeys')) tbody tr button").click()
            page.wait_for_selector("table:has(caption:text('Passkeys'))", state="detached")
            _log_out(here.page)
            assert page.locator("pass-key button").count() == 0
            here.go("/live/")
            page.wait_for_url("**/login**")
            assert here.wrong == []

        with visit(browser, served, "en") as by_number:  # browsers refuse passkeys for an address of numbers
            by_number.go("/login")
            assert by_number.page.locator("pass-key").count() == 0


def _log_out(page: Page) -> None:
    page.locator("details.menu[data-pops] > summary").last.click()
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/login**")
