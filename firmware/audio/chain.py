"""The SHA-256 chain over one-second chunks of a recording, and the lines of its sidecar."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from firmware.model import CallId, ChannelRole, Instant, LineId, RecordingId
from firmware.ports import Gap, GapCause


@dataclass(frozen=True, slots=True)
class Header:
    """The first line of a sidecar: what this sound is. ``at`` is the moment of the first frame."""

    recording: RecordingId
    call: CallId
    line: LineId
    part: int
    rate_hz: int
    roles: tuple[ChannelRole, ...]
    at: Instant
    boot_id: str
    seed: str

    @property
    def frame_bytes(self) -> int:
        return 2 * len(self.roles)


@dataclass(frozen=True, slots=True)
class Chunk:
    """One second of sound (the last one may be shorter)."""

    n: int
    frames: int
    sha256: str
    link: str


@dataclass(frozen=True, slots=True)
class Close:
    frames: int
    link: str
    cut_short: bool = False
    """A crash or a power cut ended the recording, and recovery closed it."""


Entry = Header | Chunk | Gap | Close


def first_link(seed: str) -> bytes:
    return hashlib.sha256(seed.encode()).digest()


def next_link(previous: bytes, n: int, digest: bytes) -> bytes:
    return hashlib.sha256(previous + n.to_bytes(8, "big") + digest).digest()


class Chain:
    """Hashes sound as it is written. Feed whole or part frames in file order."""

    def __init__(self, header: Header) -> None:
        self._frame_bytes = header.frame_bytes
        self._chunk_bytes = header.rate_hz * header.frame_bytes
        self._link = first_link(header.seed)
        self._n = 0
        self._hash = hashlib.sha256()
        self._filled = 0

    def feed(self, pcm: bytes | memoryview) -> list[Chunk]:
        """Returns the chunks that are full now."""
        chunks = []
        view = memoryview(pcm)
        while view:
            part = view[: self._chunk_bytes - self._filled]
            self._hash.update(part)
            self._filled += len(part)
            view = view[len(part) :]
            if self._filled == self._chunk_bytes:
                chunks.append(self._seal())
        return chunks

    def finish(self) -> list[Chunk]:
        """The last chunk, when it is shorter than a second."""
        return [self._seal()] if self._filled else []

    def _seal(self) -> Chunk:
        digest = self._hash.digest()
        self._link = next_link(self._link, self._n, digest)
        chunk = Chunk(self._n, self._filled // self._frame_bytes, digest.hex(), self._link.hex())
        self._n += 1
        self._hash = hashlib.sha256()
        self._filled = 0
        return chunk

    @property
    def link(self) -> str:
        return self._link.hex()


def line_of(entry: Entry) -> bytes:
    """One sidecar line, as docs/interfaces.md has it."""
    match entry:
        case Header():
            fields: dict[str, Any] = {
                "kind": "open",
                "recording": entry.recording,
                "call": entry.call,
                "line": entry.line,
                "part": entry.part,
                "rate_hz": entry.rate_hz,
                "roles": [str(role) for role in entry.roles],
                "at_utc_ms": entry.at.utc_ms,
                "at_boot_ns": entry.at.boot_ns,
                "boot_id": entry.boot_id,
                "seed": entry.seed,
            }
        case Chunk():
            fields = {"kind": "chunk", "n": entry.n, "frames": entry.frames, "sha256": entry.sha256, "link": entry.link}
        case Gap():
            fields = {
                "kind": "gap",
                "at_frame": entry.at_frame,
                "missing_ms": entry.missing_ms,
                "cause": str(entry.cause),
            }
        case Close():
            fields = {"kind": "close", "frames": entry.frames, "link": entry.link}
            if entry.cut_short:
                fields["cut_short"] = True
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def entry_of(line: bytes) -> Entry:
    """Raises `ValueError` when the line is none of ours (half-written, zeros, garbage)."""
    try:
        fields = json.loads(line)
        match fields["kind"]:
            case "open":
                return Header(
                    recording=RecordingId(fields["recording"]),
                    call=CallId(fields["call"]),
                    line=LineId(fields["line"]),
                    part=int(fields["part"]),
                    rate_hz=int(fields["rate_hz"]),
                    roles=tuple(ChannelRole(role) for role in fields["roles"]),
                    at=Instant(int(fields["at_boot_ns"]), int(fields["at_utc_ms"]) * 1_000_000),
                    boot_id=str(fields["boot_id"]),
                    seed=str(fields["seed"]),
                )
            case "chunk":
                return Chunk(int(fields["n"]), int(fields["frames"]), str(fields["sha256"]), str(fields["link"]))
            case "gap":
                missing = fields["missing_ms"]
                return Gap(
                    int(fields["at_frame"]), None if missing is None else int(missing), GapCause(fields["cause"])
                )
            case "close":
                return Close(int(fields["frames"]), str(fields["link"]), fields.get("cut_short") is True)
            case other:
                raise ValueError(f"sidecar line of unknown kind {other!r}")
    except (KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise ValueError(f"sidecar line cannot be read: {error!r}") from error


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A whole sidecar, as far as it can be read."""

    header: Header
    chunks: tuple[Chunk, ...]
    gaps: tuple[Gap, ...]
    close: Close | None

    @property
    def hashed_frames(self) -> int:
        return sum(chunk.frames for chunk in self.chunks)


def read_sidecar(data: bytes) -> Sidecar:
    """Reads up to the first line that is damaged. Raises `ValueError` when the first line already is."""
    header: Header | None = None
    chunks: list[Chunk] = []
    gaps: list[Gap] = []
    close: Close | None = None
    for line in data.split(b"\n"):
        if not line:
            continue
        try:
            entry = entry_of(line)
        except ValueError:
            if header is None:
                raise
            break
        match entry:
            case Header() if header is None and entry.roles and entry.rate_hz > 0:
                header = entry
            case Chunk() if header is not None and entry.n == len(chunks):
                chunks.append(entry)
            case Gap() if header is not None:
                gaps.append(entry)
            case Close() if header is not None:
                close = entry
            case _:
                break
    if header is None:
        raise ValueError("sidecar has no readable first line")
    return Sidecar(header, tuple(chunks), tuple(gaps), close)
