"""Every address that a person may open, as the showcase has it: a new page without a line here fails a test."""

from __future__ import annotations

from tests.webui.showcase import CALL, FIELD_TEST

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
    "lines.line": "/settings/lines/fxo-1",
    "calibration.show": "/settings/lines/fxo-1/calibrate",
    "sims.card": "/settings/sims/sim-1/",
    "sims.messages": "/settings/sims/sim-1/messages",
    "field_test.show": f"/fieldtest/{FIELD_TEST}",
    "recording_rules.index": "/settings/recording/",
    "storage.index": "/settings/storage/",
    "system.index": "/settings/system/",
    "system.trust": "/trust",
    "setup.index": "/setup/",
    "setup.step": "/setup/lines",
}
"""Endpoint → address for a signed-in owner."""

MORE_STATES = {
    "calls-filtered": "/calls/?q=回访&tab=review",
    "calls-nothing": "/calls/?q=zzzz",
    "calls-more-filters": "/calls/?has=note",
    "not-there": "/calls/none",
    **{f"setup-{step}": f"/setup/{step}" for step in ("network", "test", "recording", "storage", "trust", "end")},
}
"""The same pages in other states, worth looking at on their own."""

WITHOUT_LOGIN = {"auth.login": "/login"}

NOT_A_PAGE = {
    "static", "live.home", "live.state", "live.events", "live.listen", "calls.row", "calls_export.as_csv",
    "calls_export.as_xlsx", "call.peaks", "media.mp4", "media.ogg", "media.flac", "media.wav", "audit.export",
    "account.second_factor_picture", "field_test.now_part", "field_test.sound", "field_test.file",
    "calibration.now_part",
    "setup.lines_now", "setup.test_now", "metrics.metrics", "system.certificate", "system.trust_picture", "api.openapi",
    "api.status", "api.calls", "api.call", "api.recording", "api.settings",
}  # fmt: skip
"""Parts, files and streams."""

ELSEWHERE = {
    "auth.first_run": "open only while there is no account: tests/webui/test_every_page.py looks at it first",
    "setup.restore": "the same",
    "auth.second_factor": "open only between password and second factor: tests/webui/test_every_page.py goes there",
    "field_test.now": "leads back to the list while no test runs: tests/webui/test_every_page.py begins one",
}
"""Why a page is not in the list above."""
