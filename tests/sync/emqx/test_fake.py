"""What the fake does is what EMQX says it does: each rule with the place where it stands.

`docs` is emqx/emqx-docs en_US/file-transfer, `src` emqx/emqx apps/emqx_ft/src at 50e04386, `eip` emqx/eip 0021.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.sync.emqx.fake import SUCCESS, UNSPECIFIED, FakeEmqx

DATA = b"0123456789" * 100
SHA = hashlib.sha256(DATA).hexdigest()
META = json.dumps({"name": "a.flac", "size": len(DATA), "checksum": SHA}).encode()


@dataclass
class Clock:
    s: float = 0.0


class Talk:
    def __init__(self) -> None:
        self.clock = Clock()
        self.emqx = FakeEmqx("box-1", now_s=lambda: self.clock.s)

    def say(self, rest: str, payload: bytes = b"") -> tuple[int, str]:
        answer = self.emqx.command(f"$file-async/{rest}", payload)
        assert answer["topic"] == f"$file-async/{rest}"
        return answer["reason_code"], answer["reason_description"]

    def send(self, fid: str = "f1", data: bytes = DATA, step: int = 300) -> None:
        assert self.say(f"{fid}/init", META)[0] == SUCCESS
        for offset in range(0, len(data), step):
            piece = data[offset : offset + step]
            assert self.say(f"{fid}/{offset}/{hashlib.sha256(piece).hexdigest()}", piece)[0] == SUCCESS


def only_the_name_is_needed(talk: Talk) -> None:
    assert talk.say("f1/init", b'{"name": "a"}')[0] == SUCCESS
    assert talk.say("f2/init", b'{"size": 3}')[0] == UNSPECIFIED
    assert talk.say("f3/init", b"no json")[0] == UNSPECIFIED


def a_second_init_must_be_the_same(talk: Talk) -> None:
    assert talk.say("f1/init", META)[0] == SUCCESS
    assert talk.say("f1/init", META)[0] == SUCCESS
    other = META.replace(b"a.flac", b"b.flac")
    assert talk.say("f1/init", other) == (UNSPECIFIED, "filemeta_conflict")


def a_piece_is_held_against_its_checksum(talk: Talk) -> None:
    assert talk.say(f"f1/0/{'0' * 64}", b"x")[0] == UNSPECIFIED


def pieces_may_come_in_any_order_doubled_and_without_checksum(talk: Talk) -> None:
    talk.say("f1/init", META)
    for offset in (500, 0, 500):
        assert talk.say(f"f1/{offset}", DATA[offset : offset + 500])[0] == SUCCESS
    assert talk.say(f"f1/fin/{len(DATA)}/{SHA}")[0] == SUCCESS
    assert talk.emqx.exported == {"box-1/f1/a.flac": DATA}


def fin_with_a_hole_says_incomplete_and_names_none(talk: Talk) -> None:
    talk.say("f1/init", META)
    talk.say("f1/500", DATA[500:])
    assert talk.say(f"f1/fin/{len(DATA)}/{SHA}") == (UNSPECIFIED, "incomplete")


def pieces_die_after_their_life(talk: Talk) -> None:
    talk.send()
    talk.clock.s = 86_401
    assert talk.say(f"f1/fin/{len(DATA)}/{SHA}") == (UNSPECIFIED, "incomplete")


def fin_is_held_against_its_checksum(talk: Talk) -> None:
    talk.send()
    assert talk.say(f"f1/fin/{len(DATA)}/{'0' * 64}")[0] == UNSPECIFIED


def the_checksum_of_fin_beats_that_of_init(talk: Talk) -> None:
    talk.say("f1/init", META.replace(SHA.encode(), b"0" * 64))
    talk.say("f1/0", DATA)
    assert talk.say(f"f1/fin/{len(DATA)}/{SHA}")[0] == SUCCESS


def a_second_fin_succeeds_without_looking(talk: Talk) -> None:
    talk.send()
    assert talk.say(f"f1/fin/{len(DATA)}/{SHA}")[0] == SUCCESS
    assert talk.say("f1/fin/1/" + "0" * 64)[0] == SUCCESS


def an_exported_file_hides_those_whose_id_it_begins_with(talk: Talk) -> None:
    talk.send("call10")
    assert talk.say(f"call10/fin/{len(DATA)}/{SHA}")[0] == SUCCESS
    assert talk.say("call1/fin/5")[0] == SUCCESS, "the prefix test finds call10"
    assert set(talk.emqx.exported) == {"box-1/call10/a.flac"}


def abort_does_nothing(talk: Talk) -> None:
    talk.send()
    assert talk.say("f1/abort")[0] == SUCCESS
    assert talk.say(f"f1/fin/{len(DATA)}/{SHA}")[0] == SUCCESS


def unknown_commands_are_refused(talk: Talk) -> None:
    for rest in ("f1/what/is/this", "f1/-1", "f1/fin/x", "f1/fin/1/2/3"):
        assert talk.say(rest)[0] == UNSPECIFIED


RULES: list[tuple[Callable[[Talk], None], str]] = [
    (only_the_name_is_needed, "docs client.md, Init Command: the only required field is `name`"),
    (a_second_init_must_be_the_same, "src emqx_ft_storage_fs.erl, store_filemeta/3: {error, filemeta_conflict}"),
    (a_piece_is_held_against_its_checksum, "src emqx_ft.erl, do_validate integrity: checksum_mismatch"),
    (pieces_may_come_in_any_order_doubled_and_without_checksum, "docs client.md, Segment Command: optional checksum"),
    (fin_with_a_hole_says_incomplete_and_names_none, "src emqx_ft_assembler.erl: the atom incomplete"),
    (pieces_die_after_their_life, "docs broker.md, Segment Settings: maximum_segments_ttl, 24 h by default"),
    (fin_is_held_against_its_checksum, "docs client.md, Finish Command: its checksum is valid"),
    (the_checksum_of_fin_beats_that_of_init, "docs client.md, Finish Command: takes priority"),
    (a_second_fin_succeeds_without_looking, "docs client.md, The Common Flow: already completed, success at once"),
    (an_exported_file_hides_those_whose_id_it_begins_with, "src emqx_ft_storage_exporter_s3.erl: exists by prefix"),
    (abort_does_nothing, "src emqx_ft.erl, on_abort/2: %% TODO, ?RC_SUCCESS"),
    (unknown_commands_are_refused, "src emqx_ft.erl, on_file_command/4: ?RC_UNSPECIFIED_ERROR"),
]


@pytest.mark.parametrize(("rule", "source"), RULES, ids=[rule.__name__ for rule, _ in RULES])
def test_the_fake_follows_the_broker(rule: Callable[[Talk], None], source: str) -> None:
    assert source.startswith(("docs ", "src ", "eip "))
    rule(Talk())
