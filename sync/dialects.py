"""How the pieces of a file are addressed and answered: Offhook's own topics. `sync.emqx` is the other way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from sync import topics, wire
from sync.outbox import DueFile


@dataclass(frozen=True, slots=True)
class Later:
    """This file is to rest; the others go on."""

    fid: str
    wait_s: float
    why: str


Answer = wire.FileAck | Later


class Dialect(Protocol):
    """Names of topics, and what an answer means."""

    @property
    def filters(self) -> tuple[str, ...]:
        """Subscriptions beside ``dn/#``."""

    def opened(self, file: DueFile, now_s: float, /) -> None:
        """``file`` is on its way from now on."""

    def init(self, fid: str) -> str: ...

    def chunk(self, fid: str, offset: int, data: bytes) -> str: ...

    def fin(self, file: DueFile) -> str: ...

    def abort(self, fid: str) -> str: ...

    def answer(self, topic: str, payload: bytes, /) -> Answer | None:
        """What a message that is none of the usual ones says about a file. Raises `WireError`."""

    def to_keep(self, now_s: float, /) -> Iterator[tuple[str, str]]:
        """Files and what must be remembered of them over a restart, as far as that has changed."""


class OwnFiles:
    """``offhook1/{dev}/up/f/...``; the receiver says what it has, so there is nothing to remember."""

    filters: tuple[str, ...] = ()

    def __init__(self, dev: str) -> None:
        self._dev = dev

    def opened(self, _file: DueFile, _now_s: float, /) -> None:
        pass

    def init(self, fid: str) -> str:
        return topics.build(topics.InitTopic(self._dev, fid))

    def chunk(self, fid: str, offset: int, data: bytes) -> str:
        return topics.build(topics.ChunkTopic(self._dev, fid, offset, wire.chunk_digest(data)))

    def fin(self, file: DueFile) -> str:
        return topics.build(topics.FinTopic(self._dev, file.fid, file.size, file.sha256))

    def abort(self, fid: str) -> str:
        return topics.build(topics.AbortTopic(self._dev, fid))

    def answer(self, topic: str, _payload: bytes, /) -> Answer | None:
        raise topics.WireError(f"no topic is called {topic!r:.80}; docs/mqtt.md lists them")

    def to_keep(self, _now_s: float, /) -> Iterator[tuple[str, str]]:
        return iter(())
