"""The `[retention]` table of the settings: how long the sound of calls is kept."""

from __future__ import annotations

import enum
import tomllib
from typing import Any

import attrs
import cattrs

from firmware.config_checks import between
from firmware.config_structure import structure
from firmware.config_sync import SentAudio, SyncSettings, sync_part

TEN_YEARS = 3660


@attrs.frozen(kw_only=True)
class LineRetention:
    """What differs for one line."""

    days: int | None = attrs.field(default=None, validator=attrs.validators.optional(between(0, TEN_YEARS)))
    """None: as for the box; 0: for ever."""
    min_free_percent: int | None = attrs.field(default=None, validator=attrs.validators.optional(between(1, 90)))
    """None: as for the box. The sound of a line with a higher part goes earlier."""


@attrs.frozen(kw_only=True)
class RetentionSettings:
    min_free_percent: int = attrs.field(default=10, validator=between(1, 90))
    """The oldest recordings go when less than this part of the data partition is free."""
    days: int = attrs.field(default=0, validator=between(0, TEN_YEARS))
    """Sound older than this goes; 0: it is kept as long as there is room."""
    keep_until_in_cloud: bool = True
    """Where a cloud is connected: what it does not have yet is not deleted, however full the disk is."""
    lines: dict[str, LineRetention] = attrs.field(factory=dict)

    def days_of(self, line: str) -> int:
        own = self.lines.get(line)
        return self.days if own is None or own.days is None else own.days

    def min_free_percent_of(self, line: str) -> int:
        own = self.lines.get(line)
        return self.min_free_percent if own is None or own.min_free_percent is None else own.min_free_percent


class CloudCopy(enum.Enum):
    """What of a recording goes to a cloud, and thus what must be there before the cloud *has* it."""

    NOTHING = "nothing"
    """No cloud is connected, or no sound goes there."""
    FLAC = "flac"
    OPUS = "opus"

    @classmethod
    def of(cls, sync: SyncSettings) -> CloudCopy:
        if not sync.enabled or sync.audio is SentAudio.NONE:
            return cls.NOTHING
        return cls.OPUS if sync.audio is SentAudio.OPUS else cls.FLAC


def retention_part(document: str) -> tuple[RetentionSettings, CloudCopy]:
    """`[retention]` of a stored document, and what of recordings goes to a cloud.

    Reads nothing else of it, so that the janitor loads no line driver. A table that cannot be read falls back to the
    defaults. Raises nothing.
    """
    try:
        table: Any = tomllib.loads(document).get("retention", {})
        settings = structure(table, RetentionSettings)
    except (tomllib.TOMLDecodeError, cattrs.BaseValidationError, ValueError):
        settings = RetentionSettings()
    return settings, CloudCopy.of(sync_part(document).sync)
