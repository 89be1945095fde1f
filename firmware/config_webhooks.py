"""The `[[webhooks]]` tables of the settings: addresses that are told what happens. The sync process delivers.

Their secrets are in the database (table `webhook`) and not in the settings, which the page shows and the cloud is told.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

import attrs

from firmware.config_checks import short_text

MOST_WEBHOOKS = 20
_ID = re.compile(r"[a-z0-9-]{1,32}")
_EVENT = re.compile(r"[a-z0-9_.*-]{1,60}")


def _id(_instance: Any, _attribute: Any, value: str) -> None:
    if not _ID.fullmatch(value):
        raise ValueError(f"must be 1 to 32 lower-case letters, digits and hyphens (crm), not {value!r:.60}")


def _url(_instance: Any, _attribute: Any, value: str) -> None:
    try:
        parts = urlsplit(value)
        good = parts.scheme in ("https", "http") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good or len(value) > 2000 or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError(f'must be an address like "https://example.org/hook", not {value!r:.100}')
    if parts.username or parts.password:
        raise ValueError("must hold no user and no password: every delivery is signed instead")


def _events(_instance: Any, _attribute: Any, value: tuple[str, ...]) -> None:
    for pattern in value:
        if not _EVENT.fullmatch(pattern):
            raise ValueError(f'must be a list of types like "call.ended" or "call.*", not {pattern!r:.60}')


@attrs.frozen(kw_only=True)
class WebhookSettings:
    """One address."""

    id: str = attrs.field(validator=_id)
    url: str = attrs.field(validator=_url)
    label: str = attrs.field(default="", validator=short_text(64))
    enabled: bool = True
    events: tuple[str, ...] = attrs.field(default=("call.ended", "recording.sealed"), validator=_events)
    """Types of the outbox (docs/store.md); ``*`` stands for anything."""

    def wants(self, kind: str) -> bool:
        """Whether it is told of an event of this type."""
        return self.enabled and any(fnmatchcase(kind, pattern) for pattern in self.events)
