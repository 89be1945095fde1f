"""The `[home_assistant]` table of the settings: the broker of a smart home that shows the lines."""

from __future__ import annotations

import re
from typing import Any

import attrs

from firmware.config_checks import between, short_text

_PREFIX = re.compile(r"[A-Za-z0-9_-]{1,40}(/[A-Za-z0-9_-]{1,40})*")


def _prefix(_instance: Any, _attribute: Any, value: str) -> None:
    if not _PREFIX.fullmatch(value):
        raise ValueError(f'must be a topic like "homeassistant", not {value!r:.60}')


@attrs.frozen(kw_only=True)
class HomeAssistantSettings:
    """Off by default. A broker of its own: the smart home's is in the house, the cloud's is not."""

    enabled: bool = False
    host: str = attrs.field(default="", validator=short_text(253))
    port: int = attrs.field(default=0, validator=between(0, 65535))
    """0: 1883, or 8883 with TLS."""
    tls: bool = False
    ca_file: str = attrs.field(default="", validator=short_text(300))
    user: str = attrs.field(default="", validator=short_text(200))
    password_file: str = attrs.field(default="", validator=short_text(300))
    prefix: str = attrs.field(default="homeassistant", validator=_prefix)
    """The discovery prefix that Home Assistant's MQTT integration is set to."""
    show_numbers: bool = False
    """Whether the other side's number and name are told, too: everybody in the house may see them."""

    def __attrs_post_init__(self) -> None:
        if self.enabled and not self.host:
            raise ValueError('enabled, but no host is named (host = "homeassistant.local")')

    @property
    def broker_port(self) -> int:
        return self.port or (8883 if self.tls else 1883)
