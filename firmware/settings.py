"""The one settings service: which document is in force, and the only way to change it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from firmware import config
from firmware.adopt_devices import with_found_lines
from firmware.config import Settings
from firmware.config_text import with_changed_lines
from firmware.errors import ConfigError, ConflictError
from firmware.ports import FoundDevice

log = logging.getLogger("offhook.settings")

NO_VERSION = 0
"""The version before the first document: base the first change on it."""


class StoredDocument(Protocol):
    """One version as the store keeps it."""

    @property
    def version(self) -> int: ...

    @property
    def document(self) -> str: ...


class SettingsStore(Protocol):
    """Where versions are kept; `firmware.store.stored_versions.StoredVersions` is the box's."""

    def newest(self) -> StoredDocument | None: ...

    def apply(self, *, base_version: int, document: str, by: str) -> int:
        """Returns the version once it is on the disk. Raises `ConflictError` when ``base_version`` is not in force."""
        ...


@dataclass(frozen=True, slots=True)
class Current:
    """What is in force."""

    version: int
    document: str
    settings: Settings
    faults: tuple[str, ...] = ()
    """Faults in a document that an earlier version of Offhook had accepted; the rest of it is in force."""


class SettingsService:
    """Safe to use from any thread; what is in force only changes by `apply` and `add_found`."""

    def __init__(self, store: SettingsStore) -> None:
        """Loads the newest version; the defaults and no line are in force when there is none."""
        self._store = store
        self._lock = threading.Lock()
        stored = store.newest()
        self._current = _in_force(stored) if stored else Current(NO_VERSION, "", Settings())

    def get(self) -> Current:
        """What is in force now."""
        return self._current

    def check(self, document: str) -> list[str]:
        """Every fault in ``document``; none when `apply` would take it."""
        return config.check(document)

    def apply(self, base_version: int, document: str, by: str) -> int:
        """Puts ``document`` in force and returns its version, once it is on the disk.

        Raises `ConflictError` when ``base_version`` is not in force (any more) and `ConfigError` with every fault.
        """
        settings = config.parse(document)
        with self._lock:
            version = self._store.apply(base_version=base_version, document=document, by=by)
            self._current = Current(version, document, settings)
        log.info("settings version %d by %s are in force", version, by, extra={"offhook": {"version": version}})
        return version

    def import_first_boot(self, file: Path) -> None:
        """Applies ``file`` when it exists and no settings were ever applied.

        Raises `ConfigError` with every fault of the file: it is there because somebody wants it.
        """
        if self._current.version != NO_VERSION or not file.exists():
            return
        try:
            self.apply(NO_VERSION, file.read_text(encoding="utf-8"), file.name)
        except ConfigError as error:
            raise ConfigError([f"{file}: {fault}" for fault in error.faults]) from None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError([f"{file} cannot be read: {error}; correct or remove it"]) from None

    def add_found(self, found: Sequence[FoundDevice]) -> Current:
        """Makes lines of found devices that are none yet, remembers them as a new version, and returns it.

        A found device that already is a line keeps it, also when its serial ports got other numbers.
        """
        while True:
            before = self._current
            after = with_found_lines(before.settings, found)
            if after == before.settings or before.faults:
                return before
            document = with_changed_lines(before.document, before=before.settings, after=after)
            try:
                self.apply(before.version, document, "found devices")
            except ConflictError:
                if self._current is before:
                    raise
                continue  # somebody applied other settings meanwhile: look again
            return self._current


def _in_force(stored: StoredDocument) -> Current:
    """The stored version; what is wrong in it for this version of Offhook must not stop the other lines."""
    settings, faults = config.salvage(stored.document)
    for fault in faults:
        log.error("settings version %d: %s", stored.version, fault)
    return Current(stored.version, stored.document, settings, tuple(faults))
