"""Every address that a person may open, as the showcase has it: a new page without a line here fails a test."""

from __future__ import annotations

from tests.webui.showcase import CALL

PAGES = {
    "live.index": "/live/",
    "calls.index": "/calls/",
    "call.show": f"/calls/{CALL}",
    "settings.index": "/settings/",
    "people.index": "/settings/people/",
    "people.new_user": "/settings/people/users/new",
    "people.user": "/settings/people/users/1",
    "tokens.index": "/settings/tokens/",
    "audit.index": "/settings/audit/",
    "account.index": "/account/",
    "account.second_factor": "/account/second-factor",
    "cloud.index": "/settings/cloud/",
    "sims.index": "/settings/sims/",
    "field_test.index": "/fieldtest/",
    "alarms.index": "/settings/alarms/",
    "cloud_link.index": "/settings/cloud-link/",
    "cloud_link.webhooks": "/settings/cloud-link/webhooks",
    "lines.index": "/settings/lines/",
    "recording_rules.index": "/settings/recording/",
    "storage.index": "/settings/storage/",
    "system.index": "/settings/system/",
    "system.trust": "/trust",
    "setup.index": "/setup/",
}
"""Endpoint → address for a signed-in owner."""

MORE_STATES = {
    "calls-filtered": "/calls/?q=回访&tab=review",
    "calls-nothing": "/calls/?q=zzzz",
    "calls-more-filters": "/calls/?has=note",
    "not-there": "/calls/none",
}
"""The same pages in other states, worth looking at on their own."""

WITHOUT_LOGIN = {"auth.login": "/login"}

NOT_A_PAGE = {
    "static", "live.home", "live.state", "live.events", "live.listen", "calls.row", "calls_export.as_csv",
    "calls_export.as_xlsx", "call.peaks", "media.mp4", "media.ogg", "media.flac", "media.wav", "audit.export",
    "account.second_factor_picture", "field_test.now_part", "field_test.sound", "field_test.file",
    "setup.lines_now", "setup.test_now", "metrics.metrics", "system.certificate", "system.trust_picture", "api.openapi",
    "api.status", "api.calls", "api.call", "api.recording", "api.settings",
}  # fmt: skip
"""Parts, files and streams."""

ELSEWHERE = {
    "auth.first_run": "open only while there is no account: tests/webui/test_every_page.py looks at it first",
    "auth.second_factor": "open only between password and second factor: tests/webui/test_people.py",
    "lines.line": "needs a line in the settings: tests/webui/test_settings_pages.py",
    "setup.step": "each step follows from the one before: tests/webui/test_setup.py",
    "setup.restore": "open only while there is no account: tests/webui/test_setup.py",
    "field_test.now": "leads back to the list while no test runs",
    "field_test.show": "needs a finished field test",
    "sims.card": "needs a SIM module that answers",
    "sims.messages": "needs a SIM module that answers",
}
"""Why a page is not in the list above."""
