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
    time_zone: str = "UTC"
    """In which the page shows times: ``Asia/Shanghai``."""


@frozen(kw_only=True)
class StorageSettings:
    """The embedded storage; with ``[postgres]`` only the folder, for scratch files and the console's accounts."""

    data: Path = Path("/var/lib/offhook-receiver")
    reserve_mb: int = 256
    """What stays free for records when recordings have filled the disk."""


@frozen(kw_only=True)
class PostgresSettings:
    """The storage of many receivers; files go to ``[s3]`` then."""

    conninfo: str | None = field(default=None, repr=False)
    """As libpq writes it: ``host=db dbname=offhook user=receiver``. None: the embedded storage."""
    workers: int = 4
    """Threads of one receiver, each with a connection of its own. The messages of a box stay with one of them."""
    staged_mb: int = 50_000
    """What all boxes together may have announced and not finished; others wait."""


@frozen(kw_only=True)
class S3Settings:
    """Where the bucket is. Without keys boto3 looks for them: environment, shared file, role of the machine."""

    endpoint: str | None = None
    """None: AWS itself."""
    region: str = "us-east-1"
    bucket: str = ""
    prefix: str = ""
    access_key: str | None = None
    secret_key: str | None = field(default=None, repr=False)
    path_style: bool = True
    """False: the bucket is part of the host name, as newer AWS regions want it."""


@frozen(kw_only=True)
class Settings:
    """The whole of it: sections ``[storage]``, ``[broker]``, ``[limits]``, ``[group_commit]`` and ``[console]``, and
    for many receivers ``[postgres]`` and ``[s3]``."""

    storage: StorageSettings = field(factory=StorageSettings)
    broker: BrokerSettings = field(factory=BrokerSettings)
    limits: Limits = field(factory=Limits)
    group_commit: GroupCommit = field(factory=GroupCommit)
    console: ConsoleSettings = field(factory=ConsoleSettings)
    postgres: PostgresSettings = field(factory=PostgresSettings)
    s3: S3Settings = field(factory=S3Settings)


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
