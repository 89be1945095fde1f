"""docs/configuration.md names every setting with its default, and no other."""

from __future__ import annotations

import json
import re
from pathlib import Path

import attrs

from firmware.config import BoxSettings, LineSettings, PanelSettings, RecordingSettings, RetentionSettings, Settings
from firmware.config_home_assistant import HomeAssistantSettings
from firmware.config_sync import S3Settings, SyncSettings
from firmware.config_webhooks import WebhookSettings
from firmware.drivers import DRIVERS

PAGE = (Path(__file__).resolve().parents[2] / "docs/configuration.md").read_text()


def test_every_setting_stands_there() -> None:
    tables = {
        "box": BoxSettings,
        "recording": RecordingSettings,
        "retention": RetentionSettings,
        "panel": PanelSettings,
        "sync": SyncSettings,
        "sync.s3": S3Settings,
        "home_assistant": HomeAssistantSettings,
    }
    assert {field.name for field in attrs.fields(Settings)} == {*tables, "lines", "webhooks"} - {"sync.s3"}
    for field in attrs.fields(WebhookSettings):
        assert f"| `{field.name}` |" in PAGE
    for table, cls in tables.items():
        for field in attrs.fields(cls):
            if f"{table}.{field.name}" in tables:
                continue
            named = rf"`{table}\.{field.name}`|`{table}\.\w+`.*`\.{field.name}`"
            row = next((line for line in PAGE.splitlines() if re.match(rf"\| (?:{named})", line)), None)
            assert row is not None, f"{table}.{field.name} is missing"
            if field.default not in (None, ()) and not isinstance(field.default, attrs.Factory):  # type: ignore[arg-type]
                default = str(getattr(field.default, "value", field.default))
                default = default.lower() if isinstance(field.default, bool) else default
                if isinstance(field.default, tuple):
                    default = json.dumps(field.default)
                assert default in row.split("|")[2]
    for field in attrs.fields(LineSettings):
        assert f"| `{field.name}` |" in PAGE
    for driver in DRIVERS:
        assert f"`{driver}`" in PAGE
