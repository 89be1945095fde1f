"""What the sync machine is given and what it asks for: plain values, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sync.wire import HelloAck

URGENT = 2
"""Audio of this priority or a lower number goes at once; above it obeys schedule and rate limit."""


class Phase(StrEnum):
    OFFLINE = "offline"
    """Waits for the next attempt to connect."""
    CONNECTING = "connecting"
    GREETING = "greeting"
    """Connected; the receiver has not answered the hello yet."""
    READY = "ready"
    AWAY = "away"
    """Connected, but nobody answers behind the broker: only a hello now and then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedRecord:
    seq: int
    size: int
    """Bytes of its CloudEvent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedFile:
    fid: str
    size: int
    sha256: str
    prio: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds."""

    hello_s: float = 30.0
    """Without an answer to the hello for so long the receiver is away."""
    probe_s: float = 60.0
    probe_longest_s: float = 300.0
    greet_again_s: float = 900.0
    resend_s: float = 3.0
    fin_s: float = 0.0
    """A fin is not sent again before: for a cloud that assembles slowly."""
    connect_s: float = 30.0
    backoff_first_s: float = 1.0
    backoff_longest_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Connect:
    """Open a connection; answer with `connected` or `disconnected`."""


@dataclass(frozen=True, slots=True)
class Disconnect:
    why: str


@dataclass(frozen=True, slots=True)
class SendHello:
    token: int


@dataclass(frozen=True, slots=True)
class SendRecords:
    token: int
    seqs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SendInit:
    token: int
    fid: str


@dataclass(frozen=True, slots=True)
class SendChunk:
    token: int
    fid: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class SendFin:
    token: int
    fid: str


@dataclass(frozen=True, slots=True)
class Greeted:
    """The receiver answered: compare its store, and queue again what it lacks."""

    ack: HelloAck


@dataclass(frozen=True, slots=True)
class RecordsStored:
    seqs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RecordRefused:
    """Never to be sent again."""

    seq: int
    why: str


@dataclass(frozen=True, slots=True)
class RecordPostponed:
    seq: int
    wait_s: float
    why: str


@dataclass(frozen=True, slots=True)
class FileStored:
    """Durable in the cloud, with our own size and hash."""

    fid: str
    store: str


@dataclass(frozen=True, slots=True)
class FileRefused:
    """Never to be sent again."""

    fid: str
    why: str


@dataclass(frozen=True, slots=True)
class FileSuspect:
    """The cloud's whole does not fit the hash: read our own file again before another attempt."""

    fid: str
    why: str


@dataclass(frozen=True, slots=True)
class FilePostponed:
    fid: str
    wait_s: float
    why: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something a person may have to do; ``key`` names it: ``not_allowed``, ``receiver_away``, ``cloud_full``."""

    key: str
    detail: str


Send = SendHello | SendRecords | SendInit | SendChunk | SendFin
Told = (
    Greeted | RecordsStored | RecordRefused | RecordPostponed | FileStored | FileRefused | FileSuspect | FilePostponed
)
Effect = Connect | Disconnect | Send | Told | Trouble
