"""Finding calls: any part of any text in any script, each filter, and an index that follows the calls."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from tests.webui.box import BROWSER, NOW_MS, Database
from webui.search.filters import CallFilter
from webui.search.grams import asked, grams, normal
from webui.search.places import BootRow, place, stretches

DAY_S = 86_400


def found(owner: FlaskClient, **query: object) -> list[str]:
    answer = owner.get("/calls/", query_string=query, headers=BROWSER)
    assert answer.status_code == 200
    return re.findall(r'data-call="([^"]+)"', answer.text)


@given(st.text(max_size=40), st.integers(0, 40), st.integers(1, 12))
def test_every_part_of_a_word_is_found(text: str, start: int, length: int) -> None:
    index = sqlite3.connect(":memory:")
    index.execute("CREATE VIRTUAL TABLE w USING fts5 (grams, content='', tokenize='unicode61 remove_diacritics 0')")
    index.execute("INSERT INTO w (rowid, grams) VALUES (1, ?)", (grams(normal(text)),))
    for word in normal(text).split():
        part = word[start % len(word) :][:length]
        hit = index.execute("SELECT rowid FROM w WHERE w MATCH ?", (asked(part),)).fetchone()
        assert hit == (1,), (word, part)
    index.close()


@pytest.mark.parametrize(
    ("q", "hits"),
    [
        ("4471", {"a"}), ("0155", {"b"}), ("1425", {"a", "b"}), ("+1 (425)", {"a", "b"}), ("71", {"a"}), ("7", {"a"}),
        ("contoso", {"a"}), ("ONTOS", {"a"}), ("co", {"a"}), ("Müller", {"c"}), ("müll", {"c"}),
        ("回访", {"b"}), ("王", {"b"}), ("小明", {"b"}), ("王小明", {"b"}), ("明王", set()), ("客户回访", {"b"}),
        ("chairs", {"a"}), ("40", {"a"}), ("angebot", {"c"}), ("front", {"a", "c"}),
        ("mobile 回访", {"b"}), ("mobile contoso", set()), ("*", set()),
        ("contoso 4471", {"a"}), ("zzz", set()), ("%", set()), ('"', set()), ("a OR b", set()), ("-", set()),
        ("NEAR(", set()), ("' OR 1=1 --", set()), ("\x00", {"a", "b", "c"}), ("x" * 5000, set()),
    ],
)  # fmt: skip
def test_text_is_found_in_number_name_note_tag_and_line(
    owner: FlaskClient, database: Database, q: str, hits: set[str]
) -> None:
    database.call(1, id="a", number="+14255554471", name="Contoso Ltd")
    database.call(2, id="b", number="+14255550155", name="王小明", line="sim-1")
    database.call(3, id="c", number=None, name="Müller")
    database.note("a", "Wants 40 chairs")
    database.note("b", "请明天对客户回访")
    database.tag("c", "Angebot")
    assert set(found(owner, q=q)) == hits


def test_each_filter_narrows_the_list(owner: FlaskClient, database: Database) -> None:
    database.call(1, id="in")
    database.call(2, id="out", direction="outgoing", outcome="busy")
    database.call(3, id="missed", outcome="missed", line="sim-1")
    database.note("in", "x")
    database.tag("out", "回访")
    database.annotate("INSERT INTO call_protection VALUES ('missed', 'court', 'anna', 1)", "missed", what="protect")
    assert found(owner, line="sim-1") == ["missed"]
    assert found(owner, direction="outgoing") == ["out"]
    assert found(owner, result="busy") == ["out"]
    assert found(owner, tab="missed") == ["missed"]
    assert found(owner, tab="review") == ["in"]
    assert found(owner, tag="回访") == ["out"]
    assert [found(owner, has=name) for name in ("note", "tag", "protected")] == [["in"], ["out"], ["missed"]]
    assert found(owner, tab="missed", q="+1425", line="sim-1", has="protected") == ["missed"]
    assert found(owner, tab="missed", line="fxo-1") == []
    assert len(found(owner, tab="x", direction="x", result="x", has="x", period="x")) == 3


def test_days_are_days_at_the_box(owner: FlaskClient, database: Database) -> None:
    database.settings('[box]\ntime_zone = "Asia/Shanghai"\n')
    midnight_s = (1_794_931_200_000 - NOW_MS) / 1000  # 18 November 2026, 00:00 in Shanghai
    database.conn.execute("UPDATE boot SET first_boot_ns = ?", (round(DAY_S * 1e9),))
    before = database.call(midnight_s - 1, started_boot_ns=round((DAY_S + midnight_s - 1) * 1e9))
    after = database.call(midnight_s, started_boot_ns=round((DAY_S + midnight_s) * 1e9))
    assert found(owner, since="2026-11-18") == [after]
    assert found(owner, until="2026-11-17") == [before]
    assert found(owner, since="2026-11-17", until="2026-11-18") == [after, before]
    assert found(owner, since="2026-11-19") == []
    assert len(found(owner, since="9999-99-99", until="never")) == 2


def test_what_becomes_of_a_call_is_followed(owner: FlaskClient, database: Database) -> None:
    call = database.call(1, status="talking", outcome=None, ended_utc_ms=None)
    assert found(owner, tab="review") == []
    database.conn.execute("UPDATE call SET status = 'ended', outcome = 'answered', name = '李雷' WHERE id = ?", (call,))
    assert found(owner, tab="review") == [call]
    assert found(owner, q="李雷") == [call]
    database.note(call, "first")
    assert found(owner, q="first") == [call]
    database.note(call, "second")
    assert (found(owner, q="first"), found(owner, q="second")) == ([], [call])
    database.annotate("INSERT INTO call_review VALUES (?, 'anna', 1)", call, call, what="review")
    assert found(owner, tab="review") == []


def test_another_database_gets_another_index(owner: FlaskClient, database: Database) -> None:
    database.call(1, name="old one")
    assert len(found(owner, q="old")) == 1
    database.conn.execute("DELETE FROM call")
    database.conn.execute("UPDATE meta SET value = 'other' WHERE key = 'epoch'")
    new = database.call(1, id="n", name="new one")
    assert (found(owner, q="old"), found(owner, q="new")) == ([], [new])


def test_a_spoilt_index_is_made_anew(owner: FlaskClient, database: Database, data_dir: Path) -> None:
    call = database.call(1, name="Contoso")
    index = data_dir / "web-cache" / "search.db"
    index.parent.mkdir()
    index.write_bytes(b"spoilt" * 1000)
    assert found(owner, q="contoso") == [call]


def test_without_room_for_an_index_the_newest_calls_are_shown(
    owner: FlaskClient, database: Database, data_dir: Path
) -> None:
    call = database.call(1)
    (data_dir / "web-cache").write_text("a file where the folder should be")
    page = owner.get("/calls/", query_string={"q": "zzz"}, headers=BROWSER).text
    assert "Searching is not possible now" in page
    assert f'data-call="{call}"' in page


def test_htmx_gets_what_changes_alone(owner: FlaskClient, database: Database) -> None:
    database.call(1)
    part = owner.get("/calls/", headers={**BROWSER, "HX-Request": "true"})
    assert "HX-Request" in part.headers["Vary"]
    assert "<html" not in part.text
    assert 'id="results"' in part.text


@pytest.mark.parametrize(
    ("period", "first", "last"),
    [("today", 18, None), ("yesterday", 17, 17), ("7d", 12, None), ("month", 1, None), ("", None, None)],
)
def test_presets(period: str, first: int | None, last: int | None) -> None:
    found = CallFilter(period=period).days(date(2026, 11, 18))
    assert found == tuple(None if day is None else date(2026, 11, day) for day in (first, last))


def test_places_follow_the_boots_and_not_the_clock() -> None:
    assert place(1, 5_000_000) < place(1, 6_000_000) < place(2, 0)
    boots = [BootRow(1, 1_000, 0, None), BootRow(2, 10_000, 0, 5_000), BootRow(3, 20_000, 500_000_000, None)]
    assert stretches(boots, None, None) == [(1 << 40, (4 << 40) - 1)]
    assert stretches(boots, 16_000, 17_000) == [
        (place(1, 15_000_000_000), place(1, 15_999_000_000)),
        (place(2, 1_000_000_000), place(2, 1_999_000_000)),
    ]
    assert stretches(boots, -10_000, -5_000) == []


@pytest.mark.parametrize("lines", [frozenset(), frozenset({"sim-1"}), frozenset({"fxo-1", "sim-1"})])
def test_a_person_sees_the_calls_of_her_lines_alone(
    owner: FlaskClient, database: Database, restrict: Callable[[frozenset[str]], None], lines: frozenset[str]
) -> None:
    for n, line in enumerate(("fxo-1", "sim-1")):
        call = database.call(n, id=line, line=line)
        database.recording(call, line=line, **database.sound(f"s{n}", seconds=1))
    restrict(lines)
    assert set(found(owner)) == lines
    assert set(found(owner, q="1425")) == lines
    assert set(found(owner, q="1425", line="fxo-1")) == lines & {"fxo-1"}
    for line in ("fxo-1", "sim-1"):
        allowed = 200 if line in lines else 404
        assert owner.get(f"/calls/{line}", headers=BROWSER).status_code == allowed
        assert owner.get(f"/calls/{line}/row").status_code == allowed
        assert owner.get(f"/media/{line}.p1.ogg").status_code == allowed
        assert (line in owner.get("/calls/export.csv").text) is (line in lines)
