"""What somebody has to do at a step of the field test: words in both languages, a picture, and how long it lasts."""

from __future__ import annotations

from typing import Literal, Protocol

from attrs import frozen

from fieldtest.results import Words

KEYS = "1590#"
"""Every row and every column of the keypad but the fourth."""
QUIET_S, SPEAK_S, KEYS_S = 4.6, 4.8, 4.0

Name = Literal["call", "lift", "quiet", "far", "near", "keys", "hang_up", "far_hangs_up", "end", "listen", "failed"]


@frozen(kw_only=True)
class Act:
    """``seconds``: how long to go on with it once it has begun; 0: it is done when it is done."""

    name: Name
    line: str
    label: str
    words: Words
    seconds: float = 0.0
    file: str = ""
    """``listen``: the recording, relative to the data folder; ``failed``: nothing."""

    @property
    def picture(self) -> str:
        """The name of its drawing on the page."""
        return self.name


@frozen(kw_only=True)
class Reply:
    """``done``: it is done, or has begun."""

    what: Literal["done", "skip", "repeat", "abort"] = "done"
    reason: str = ""
    number: str | None = None
    """``call``: the number it is called from, where that is known."""
    heard: bool | None = None
    """``listen``: whether both sides were heard."""


class Guide(Protocol):
    """Whoever carries the acts out: a person at a terminal, a person with the phone page, a machine."""

    exact: bool
    """It acts at once, so that waiting long for it makes no sense."""

    def ask(self, act: Act) -> Reply:
        """Returns when the act has begun (those with ``seconds``) or is done."""
        ...

    def tell(self, words: Words) -> None:
        """Shows what is going on."""
        ...


_WORDS: dict[Name, Words] = {
    "call": Words(en="Call {label} from another telephone and let it ring.", zh="用另一部电话拨打 {label}，让它响铃。"),
    "lift": Words(en="Lift the handset of {label}.", zh="拿起 {label} 的话筒。"),
    "quiet": Words(en="Both sides: say nothing.", zh="双方都不要说话。"),
    "far": Words(en="Speak into the other telephone: count from one.", zh="对着另一部电话说话：从一开始数数。"),
    "near": Words(en="Speak at {label}: count from one.", zh="在 {label} 这一侧说话：从一开始数数。"),
    "keys": Words(en="Press 1 5 9 0 # on the telephone of {label}.", zh="在 {label} 的电话机上按 1 5 9 0 #。"),
    "hang_up": Words(en="Put the handset of {label} back.", zh="挂上 {label} 的话筒。"),
    "far_hangs_up": Words(en="Hang up the other telephone.", zh="挂断另一部电话。"),
    "end": Words(en="End the call: hang up both telephones.", zh="结束通话：挂断两部电话。"),
    "listen": Words(en="Listen to the recording. Are both sides heard?", zh="试听录音。双方声音都听到了吗？"),
    "failed": Words(en="Something is wrong with {label}. Repeat it, or go on?", zh="{label} 有问题。重复还是继续？"),
}
_SECONDS: dict[Name, float] = {"quiet": QUIET_S, "far": SPEAK_S, "near": SPEAK_S, "keys": KEYS_S}


def act(name: Name, *, line: str, label: str, file: str = "") -> Act:
    """The act called ``name`` for a line."""
    words = _WORDS[name]
    filled = Words(en=words.en.format(label=label), zh=words.zh.format(label=label))
    return Act(name=name, line=line, label=label, words=filled, seconds=_SECONDS.get(name, 0.0), file=file)


class SkippedError(Exception):
    """Somebody skips what is being tested; the reason is the message."""


class RepeatError(Exception):
    """Somebody wants what is being tested from its start."""


class AbortedError(Exception):
    """Somebody ends the run here; what was measured stays."""


def do(guide: Guide, wanted: Act) -> Reply:
    """Has an act done. Raises `SkippedError`, `RepeatError`, `AbortedError`."""
    reply = guide.ask(wanted)
    if reply.what == "skip":
        raise SkippedError(reply.reason or "skipped")
    if reply.what == "repeat":
        raise RepeatError
    if reply.what == "abort":
        raise AbortedError
    return reply
