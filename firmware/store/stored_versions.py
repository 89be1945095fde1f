"""The settings service's versions, kept by the one writer."""

from __future__ import annotations

from firmware.store import settings
from firmware.store.settings import Setting
from firmware.store.writer import StoreWriter


class StoredVersions:
    """A `firmware.settings.SettingsStore` over the box's database."""

    def __init__(self, writer: StoreWriter) -> None:
        self._writer = writer

    def newest(self) -> Setting | None:
        return self._writer.call(lambda tx: settings.newest(tx.db))

    def apply(self, *, base_version: int, document: str, by: str) -> int:
        return self._writer.call(lambda tx: settings.apply(tx, base_version=base_version, document=document, by=by))
