"""Where each message between a box and the cloud goes: topics made from values, and values read from topics."""

from __future__ import annotations

import re

import attrs

from firmware.errors import OffhookError

ROOT = "offhook1"
"""One level on purpose: the longest topic has exactly seven slashes, the most that AWS IoT Core takes."""

CLAIM_ROOT = "offhook1-prov"
"""A root of its own: a claim certificate may use nothing else."""

UP_FILTER = f"{ROOT}/+/up/#"
STATUS_FILTER = f"{ROOT}/+/status"
"""The two filters of a receiver. They do not overlap: some brokers deliver once per matching filter."""

MAX_TOPIC_BYTES = 256

DEVICE = re.compile(r"[a-z0-9-]{1,40}")
FILE = re.compile(r"[0-9a-hjkmnp-tv-z]{26}-[0-9a-f]{16}")
"""A lower-case ULID and the first 16 hex digits of the content's SHA-256: fixed length, no dot, no slash."""
SHA256 = re.compile(r"[0-9a-f]{64}")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,14}")


class WireError(OffhookError):
    """A topic or a payload is not what docs/mqtt.md says; the message says which part."""


@attrs.frozen
class Status:
    dev: str


@attrs.frozen
class HelloTopic:
    dev: str


@attrs.frozen
class RecordsTopic:
    dev: str


@attrs.frozen
class InitTopic:
    dev: str
    fid: str


@attrs.frozen
class ChunkTopic:
    dev: str
    fid: str
    offset: int
    sha256: str | None
    """Of the chunk's bytes; None when the sender left it out."""


@attrs.frozen
class FinTopic:
    dev: str
    fid: str
    size: int
    sha256: str | None
    """Of the whole file; None when the sender left it out: then the one in init counts."""


@attrs.frozen
class AbortTopic:
    dev: str
    fid: str


@attrs.frozen
class CheckTopic:
    dev: str
    fid: str


@attrs.frozen
class ReportedTopic:
    dev: str


@attrs.frozen
class ResultTopic:
    dev: str


@attrs.frozen
class CertRequestTopic:
    dev: str


@attrs.frozen
class CertTopic:
    dev: str


@attrs.frozen
class AckTopic:
    dev: str


@attrs.frozen
class DesiredTopic:
    dev: str


@attrs.frozen
class CommandTopic:
    dev: str


FileTopic = InitTopic | ChunkTopic | FinTopic | AbortTopic | CheckTopic
UpTopic = Status | HelloTopic | RecordsTopic | FileTopic | ReportedTopic | ResultTopic | CertRequestTopic
DownTopic = AckTopic | DesiredTopic | CommandTopic | CertTopic
Topic = UpTopic | DownTopic

_UP: dict[str, type[HelloTopic | RecordsTopic | ReportedTopic | ResultTopic | CertRequestTopic]] = {
    "hello": HelloTopic,
    "ev": RecordsTopic,
    "rep": ReportedTopic,
    "res": ResultTopic,
    "csr": CertRequestTopic,
}
_DOWN: dict[str, type[DownTopic]] = {
    "ack": AckTopic,
    "cfg": DesiredTopic,
    "cmd": CommandTopic,
    "cert": CertTopic,
}
_UP_NAMES: dict[type, str] = {kind: name for name, kind in _UP.items()}
_DOWN_NAMES: dict[type, str] = {kind: name for name, kind in _DOWN.items()}


def down_filter(dev: str) -> str:
    """What a box subscribes to."""
    return f"{ROOT}/{device(dev)}/dn/#"


def claim_topics(dev: str) -> tuple[str, str]:
    """Where a box that has only a claim asks for its certificate, and where the answer comes."""
    return f"{CLAIM_ROOT}/{device(dev)}/csr", f"{CLAIM_ROOT}/{device(dev)}/cert"


def shared(group: str, topic_filter: str) -> str:
    """The same filter for receivers that share the work (MQTT 5, or 3.1.1 brokers that know it)."""
    return f"$share/{group}/{topic_filter}"


def build(topic: Topic) -> str:
    """The topic's name. Raises `WireError` when a part of it may not stand in one."""
    match topic:
        case Status(dev):
            name = f"{device(dev)}/status"
        case InitTopic(dev, fid):
            name = f"{device(dev)}/up/f/{file(fid)}/init"
        case AbortTopic(dev, fid):
            name = f"{device(dev)}/up/f/{file(fid)}/abort"
        case CheckTopic(dev, fid):
            name = f"{device(dev)}/up/f/{file(fid)}/check"
        case ChunkTopic(dev, fid, offset, sha256):
            name = f"{device(dev)}/up/f/{file(fid)}/{offset}" + (f"/{digest(sha256)}" if sha256 else "")
        case FinTopic(dev, fid, size, sha256):
            name = f"{device(dev)}/up/f/{file(fid)}/fin/{size}" + (f"/{digest(sha256)}" if sha256 else "")
        case AckTopic(dev) | DesiredTopic(dev) | CommandTopic(dev) | CertTopic(dev):
            name = f"{device(dev)}/dn/{_DOWN_NAMES[type(topic)]}"
        case _:
            name = f"{device(topic.dev)}/up/{_UP_NAMES[type(topic)]}"
    return f"{ROOT}/{name}"


def parse(name: str) -> Topic:
    """What the topic ``name`` means. Raises `WireError` for any other than those of docs/mqtt.md."""
    if len(name) > MAX_TOPIC_BYTES:
        raise WireError(f"a topic of {len(name)} characters is longer than {MAX_TOPIC_BYTES}")
    root, _, rest = name.partition("/")
    dev, _, rest = rest.partition("/")
    if root != ROOT or not rest:
        raise WireError(f"topic {name!r} is not {ROOT}/<box>/...")
    device(dev)
    parts = rest.split("/")
    match parts:
        case ["status"]:
            return Status(dev)
        case ["up", "f", fid, *what]:
            return _parse_file(dev, file(fid), what, name)
        case ["up", what] if what in _UP:
            return _UP[what](dev)
        case ["dn", what] if what in _DOWN:
            return _DOWN[what](dev)
    raise WireError(f"no topic is called {name!r}; docs/mqtt.md lists them")


def _parse_file(dev: str, fid: str, what: list[str], name: str) -> FileTopic:  # noqa: PLR0911 - one per form
    match what:
        case ["init"]:
            return InitTopic(dev, fid)
        case ["abort"]:
            return AbortTopic(dev, fid)
        case ["check"]:
            return CheckTopic(dev, fid)
        case ["fin", size]:
            return FinTopic(dev, fid, number(size), None)
        case ["fin", size, sha256]:
            return FinTopic(dev, fid, number(size), digest(sha256))
        case [offset]:
            return ChunkTopic(dev, fid, number(offset), None)
        case [offset, sha256]:
            return ChunkTopic(dev, fid, number(offset), digest(sha256))
    raise WireError(f"no file topic is called {name!r}; docs/mqtt.md lists them")


def device(dev: str) -> str:
    """``dev``, or `WireError` when it cannot be a box's id."""
    return _checked(DEVICE, dev, "a box's id is 1 to 40 of a-z, 0-9 and hyphens")


def file(fid: str) -> str:
    """``fid``, or `WireError` when it cannot be a file's id."""
    return _checked(FILE, fid, "a file's id is a lower-case ULID, a hyphen and 16 hex digits")


def digest(sha256: str) -> str:
    """``sha256``, or `WireError` when it is not 64 lower-case hex digits."""
    return _checked(SHA256, sha256, "a SHA-256 is 64 lower-case hex digits")


def number(text: str) -> int:
    """A byte count of at most 15 digits without leading zeros, so that there is one way to write it."""
    return int(_checked(_NUMBER, text, "an offset or a size is a decimal number without leading zeros"))


def _checked(pattern: re.Pattern[str], text: str, rule: str) -> str:
    if not pattern.fullmatch(text):
        raise WireError(f"{rule}, not {text!r:.80}")
    return text
