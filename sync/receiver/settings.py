"""How the receiver is set up: a TOML file, and environment variables that beat it."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import cattrs
from attrs import field, frozen

from firmware.errors import ConfigError
from sync.receiver.broker import BrokerSettings
from sync.receiver.core import Limits
from sync.receiver.intake import GroupCommit

PREFIX = "OFFHOOK_RECEIVER_"


@frozen(kw_only=True)
class ConsoleSettings:
    """Where the console listens. It speaks plain http, so for this machine only; a proxy adds TLS."""

    host: str = "127.0.0.1"
    port: int = 8090


@frozen(kw_only=True)
class StorageSettings:
    """The embedded storage."""

    data: Path = Path("/var/lib/offhook-receiver")
    reserve_mb: int = 256
    """What stays free for records when recordings have filled the disk."""


@frozen(kw_only=True)
class Settings:
    """The whole of it: sections ``[storage]``, ``[broker]``, ``[limits]``, ``[group_commit]`` and ``[console]``."""

    storage: StorageSettings = field(factory=StorageSettings)
    broker: BrokerSettings = field(factory=BrokerSettings)
    limits: Limits = field(factory=Limits)
    group_commit: GroupCommit = field(factory=GroupCommit)
    console: ConsoleSettings = field(factory=ConsoleSettings)


def load(file: Path | None, environment: Mapping[str, str] = os.environ) -> Settings:
    """``OFFHOOK_RECEIVER_BROKER_HOST`` is ``host`` in ``[broker]``. Raises `ConfigError` with all faults."""
    document: dict[str, Any] = {}
    if file is not None:
        try:
            document = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError([f"{file} cannot be read as the receiver's settings: {error}"]) from error
    for section in attrs.fields(Settings):
        for option in attrs.fields(attrs.resolve_types(_section_type(section.name))):
            text = environment.get(f"{PREFIX}{section.name}_{option.name}".upper())
            if text is not None:
                document.setdefault(section.name, {})[option.name] = text
    try:
        return _converter.structure(document, Settings)
    except cattrs.BaseValidationError as error:
        raise ConfigError([f"the receiver's settings: {fault}" for fault in cattrs.transform_error(error)]) from error


def _section_type(name: str) -> Any:
    return type(getattr(Settings(), name))


_converter = cattrs.Converter(forbid_extra_keys=True)
_converter.register_structure_hook(Path, lambda value, _kind: Path(value))
