"""A technician at a terminal: reads what to do, does it, presses Enter."""

from __future__ import annotations

import click

from fieldtest.acts import Act, Reply
from fieldtest.results import Words

_HOW = Words(
    en="  Enter when {when}; s skip, r from the start of this line, q end here",
    zh="  {when}按回车；s 跳过，r 重测本线路，q 结束",
)
_BEGUN = Words(en="you begin", zh="开始时")
_DONE = Words(en="it is done", zh="完成后")
_HEARD = Words(en="  y both heard, n not; s skip, q end here", zh="  y 都听到，n 没有；s 跳过，q 结束")
_FAILED = Words(en="  r repeat, Enter go on, q end here", zh="  r 重复，回车继续，q 结束")
_WHY = Words(en="Why is it skipped", zh="跳过原因")


class TerminalGuide:
    exact = False

    def __init__(self, language: str, data_folder: str) -> None:
        self._language = language
        self._data = data_folder

    def tell(self, words: Words) -> None:
        click.secho(f"  {words.in_(self._language)}", dim=True)

    def ask(self, act: Act) -> Reply:
        click.echo()
        click.secho(f"▶ {act.words.in_(self._language)}", bold=True)
        if act.name == "listen":
            click.echo(f"  {self._data}/{act.file}")
        how = {"listen": _HEARD, "failed": _FAILED}.get(act.name, _HOW).in_(self._language)
        when = (_BEGUN if act.seconds else _DONE).in_(self._language)
        click.echo(how.format(when=when))
        while True:
            key = click.prompt("", default="", show_default=False, prompt_suffix="> ").strip().lower()
            if key == "q":
                return Reply(what="abort")
            if key == "s":
                return Reply(what="skip", reason=click.prompt(_WHY.in_(self._language)))
            if key == "r":
                return Reply(what="repeat")
            if act.name == "listen" and key in ("y", "n"):
                return Reply(heard=key == "y")
            if key == "" and act.name != "listen":
                return Reply()
