"""Everything the page says is there in both languages, and the visitor gets the one she wants."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from tests.webui.box import BROWSER, csrf
from webui.translations.update import CATALOGUE, collected, compiled, load

SAME_IN_BOTH: frozenset[str] = frozenset()


def test_every_sentence_of_the_page_is_translated() -> None:
    catalogue = load()
    untranslated = []
    for wanted in collected():
        if not wanted.id:
            continue
        known = catalogue.get(wanted.id)
        texts = [] if known is None else [known.string] if isinstance(known.string, str) else list(known.string)
        if not texts or not all(texts) or known.fuzzy:
            untranslated.append(wanted.id)
    assert untranslated == [], "run `python -m webui.translations.update`, then translate"


def test_the_catalogue_holds_nothing_that_nobody_says() -> None:
    said = {message.id for message in collected()}
    assert [message.id for message in load() if message.id and message.id not in said] == []


def test_no_translation_is_the_english_sentence() -> None:
    same = [m.id for m in load() if m.id and m.string == m.id]
    assert set(same) <= SAME_IN_BOTH


def test_every_placeholder_survives_translation() -> None:
    for message in load():
        if not message.id:
            continue
        english = message.id if isinstance(message.id, str) else message.id[1]
        chinese = message.string if isinstance(message.string, str) else message.string[0]
        assert sorted(re.findall(r"%\(\w+\)[sd]", english)) == sorted(re.findall(r"%\(\w+\)[sd]", chinese)), english


def test_the_compiled_catalogue_is_the_written_one() -> None:
    assert CATALOGUE.with_suffix(".mo").read_bytes() == compiled(load()), "run `python -m webui.translations.update`"


@pytest.mark.parametrize(
    ("wish", "lang"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"),
        ("zh", "zh-CN"),
        ("zh-Hans-CN", "zh-CN"),
        ("en-GB,en;q=0.9,zh;q=0.8", "en"),
        ("de,zh;q=0.5", "zh-CN"),
        ("fr", "en"),
        ("", "en"),
        ("x" * 5000, "en"),
    ],
)
def test_the_browsers_wish_decides_at_first(stranger: FlaskClient, wish: str, lang: str) -> None:
    html = stranger.get("/first-run", headers={**BROWSER, "Accept-Language": wish}).text
    assert f'<html lang="{lang}"' in html


def test_the_switch_beats_the_browser_and_keeps_the_page(owner: FlaskClient) -> None:
    form = {"csrf_token": csrf(owner, "/live/"), "language": "zh_Hans_CN", "back": "/calls/?before=x"}
    assert owner.post("/language", data=form).headers["Location"] == "/calls/?before=x"
    assert "还没有通话" in owner.get("/calls/", headers={**BROWSER, "Accept-Language": "en"}).text
    form = {"csrf_token": csrf(owner, "/live/"), "language": "tlh", "back": "//evil.example"}
    assert owner.post("/language", data=form).headers["Location"] == "/live/"
    assert "还没有通话" in owner.get("/calls/", headers=BROWSER).text


def test_the_theme_is_remembered(owner: FlaskClient) -> None:
    owner.post("/theme", data={"csrf_token": csrf(owner, "/live/"), "theme": "dark", "back": "/live/"})
    assert 'data-theme="dark"' in owner.get("/live/", headers=BROWSER).text


def test_no_sentence_holds_a_lone_percent_sign() -> None:
    """The templates fill in values even where there are none: "(%)" would break the page in that language alone."""
    for message in load():
        for text in [message.string] if isinstance(message.string, str) else list(message.string or ()):
            assert not re.search(r"%(?![(%])", text), message.id
