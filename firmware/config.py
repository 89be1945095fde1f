"""The settings document: TOML in, one frozen value out, or every fault in it at once."""

from __future__ import annotations

import re
import tomllib
import zoneinfo
from collections.abc import Callable
from typing import Any

import attrs

from firmware.config_checks import between, country_code, number_patterns, one_of_drivers, short_text, time_zone
from firmware.config_faults import faults_in, place
from firmware.config_home_assistant import HomeAssistantSettings
from firmware.config_retention import RetentionSettings
from firmware.config_structure import structure
from firmware.config_sync import SyncSettings
from firmware.config_webhooks import MOST_WEBHOOKS, WebhookSettings
from firmware.drivers import driver_type
from firmware.errors import ConfigError
from firmware.minutes import Plan
from firmware.model import LineId, LineKind
from firmware.recording_rules import RecordCalls

_LINE_ID = re.compile(r"[a-z0-9-]{1,32}")


def _line_id(_instance: Any, _attribute: Any, value: Any) -> None:
    if not _LINE_ID.fullmatch(value):
        raise ValueError(f"must be 1 to 32 lower-case letters, digits and hyphens (fxo-1), not {value!r}")


@attrs.frozen(kw_only=True)
class BoxSettings:
    """What the whole box is and where it stands."""

    name: str = attrs.field(default="Offhook", validator=short_text(64))
    country: str = attrs.field(default="CN", validator=country_code)
    """ISO 3166 alpha-2: the telephone network's habits, for lines that name no country of their own."""
    time_zone: str = attrs.field(default="Asia/Shanghai", validator=time_zone)
    found_devices_become_lines: bool = True
    """A telephone device that is plugged in becomes a line by itself. False: only lines of this document are used."""

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        return zoneinfo.ZoneInfo(self.time_zone)


@attrs.frozen(kw_only=True)
class RecordingSettings:
    preroll_s: float = attrs.field(default=5.0, validator=between(0, 30))
    """Seconds of sound from before the call that go into its recording, so that the first word is never lost."""
    calls: RecordCalls = RecordCalls.ALL
    """What is recorded of calls that no list names."""
    always: tuple[str, ...] = attrs.field(default=(), validator=number_patterns)
    """Numbers, or their beginnings (``138*``), that are recorded whatever ``calls`` says."""
    never: tuple[str, ...] = attrs.field(default=(), validator=number_patterns)
    """Numbers, or their beginnings, that are not recorded. Beats ``always``."""


@attrs.frozen(kw_only=True)
class PanelSettings:
    """GPIO numbers (BCM) of the lamps and the button on the case; None where there is none."""

    ready_led: int | None = attrs.field(default=None, validator=attrs.validators.optional(between(0, 53)))
    recording_led: int | None = attrs.field(default=None, validator=attrs.validators.optional(between(0, 53)))
    fault_led: int | None = attrs.field(default=None, validator=attrs.validators.optional(between(0, 53)))
    button: int | None = attrs.field(default=None, validator=attrs.validators.optional(between(0, 53)))

    def __attrs_post_init__(self) -> None:
        used = [pin for pin in (self.ready_led, self.recording_led, self.fault_led, self.button) if pin is not None]
        if len(used) != len(set(used)):
            raise ValueError("each GPIO number can be used once")

    @property
    def present(self) -> bool:
        """Whether the case has any of them."""
        return self != PanelSettings()


@attrs.frozen(kw_only=True)
class LineSettings:
    """One line. ``options`` is, once parsed, the driver's own ``options_type``."""

    id: LineId = attrs.field(validator=_line_id)
    driver: str = attrs.field(validator=one_of_drivers)
    label: str = attrs.field(default="", validator=short_text(64))
    country: str | None = attrs.field(default=None, validator=attrs.validators.optional(country_code))
    answer_supervision: bool | None = None
    """The line tells when the other side answers. None: a SIM does, an analog line does not."""
    hangup_on_busy_tone: bool = True
    """A busy tone that lasts ends a call on an analog line, though the handset is still up."""
    hangup_on_silence_s: float = attrs.field(default=0.0, validator=between(0, 7200))
    """So much silence ends a call on an analog line; 0: never. People who are put on hold are silent too."""
    device: str | None = attrs.field(default=None, validator=attrs.validators.optional(short_text(200)))
    """Where the device is plugged in, kept with lines the box found by itself: it stays the same line."""
    record: RecordCalls | None = None
    """What is recorded on this line; None: as ``recording.calls`` says."""
    plan: Plan | None = None
    """What the operator of a SIM charges for; None: no meter."""
    options: Any = attrs.field(factory=dict)

    @property
    def name(self) -> str:
        """What people call the line: its label, or its id."""
        return self.label or self.id

    def tells_answer(self, kind: LineKind) -> bool:
        """Whether a line of this ``kind`` with these settings tells when the other side answers."""
        return kind is LineKind.SIM if self.answer_supervision is None else self.answer_supervision


@attrs.frozen(kw_only=True)
class Settings:
    """Everything an admin decides. Without any document: the defaults and no line."""

    box: BoxSettings = BoxSettings()
    recording: RecordingSettings = RecordingSettings()
    retention: RetentionSettings = attrs.field(factory=RetentionSettings)
    panel: PanelSettings = PanelSettings()
    sync: SyncSettings = attrs.field(factory=SyncSettings)
    home_assistant: HomeAssistantSettings = attrs.field(factory=HomeAssistantSettings)
    webhooks: tuple[WebhookSettings, ...] = ()
    lines: tuple[LineSettings, ...] = ()

    def __attrs_post_init__(self) -> None:
        ids = [hook.id for hook in self.webhooks]
        if len(ids) > MOST_WEBHOOKS:
            raise ValueError(f"at most {MOST_WEBHOOKS} webhooks, not {len(ids)}")
        if twice := sorted({each for each in ids if ids.count(each) > 1}):
            raise ValueError(f"the webhook id {twice[0]!r} stands twice; ids are used once")

    def country_of(self, line: LineSettings) -> str:
        return line.country or self.box.country


def parse(text: str) -> Settings:
    """The settings in ``text``. Raises `ConfigError` with every fault: its place, what is wrong, what was meant."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"not a TOML document: {error}"]) from None
    return _parsed(document)


def _parsed(document: dict[str, Any]) -> Settings:
    faults: list[str] = []
    settings: Settings | None = _collect(
        faults, lambda: structure(document, Settings), lambda e: faults_in(e, document)
    )
    options = [_options(raw, f"lines[{i}]", faults, document) for i, raw in enumerate(_raw_lines(document))]
    faults += _repeated(document)
    if faults or settings is None:
        raise ConfigError(faults)
    lines = tuple(attrs.evolve(line, options=parsed) for line, parsed in zip(settings.lines, options, strict=True))
    return attrs.evolve(settings, lines=lines)


def check(text: str) -> list[str]:
    """Every fault in ``text``; none when it may be applied."""
    try:
        parse(text)
    except ConfigError as error:
        return error.faults
    return []


def salvage(text: str) -> tuple[Settings, list[str]]:
    """What can be used of a document, and every fault in it: for one that an earlier Offhook had accepted.

    A faulty value falls back to its default and a faulty line is left out, so that the other lines go on recording.
    """
    faults = check(text)
    if not faults:
        return parse(text), []
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return Settings(), faults
    tables = {name: _sound_values(name, table) for name, table in document.items() if name != "lines"}
    sound = {name: table for name, table in tables.items() if not _faulty({name: table})}
    lines: dict[str, Any] = {}
    for raw in _raw_lines(document):
        if not _faulty({"lines": [raw]}):
            lines.setdefault(raw["id"], raw)
    kept = list(lines.values())
    while _faulty({"lines": kept}):  # the same device under two ids: the first has it
        kept.pop()
    return _parsed({**sound, "lines": kept}), faults


def _sound_values(name: str, table: Any) -> Any:
    if not isinstance(table, dict):
        return table
    return {key: value for key, value in table.items() if not _faulty({name: {key: value}})}


def _faulty(document: dict[str, Any]) -> bool:
    try:
        _parsed(document)
    except ConfigError:
        return True
    return False


def parse_options(driver: str, options: dict[str, Any]) -> Any:
    """``options`` as the driver's own type. Raises `ConfigError` with every fault."""
    faults: list[str] = []
    parsed = _options({"driver": driver, "options": options}, "", faults, {})
    if faults:
        raise ConfigError(faults)
    return parsed


def _collect(faults: list[str], attempt: Callable[[], Any], explain: Callable[[Exception], list[str]]) -> Any:
    try:
        return attempt()
    except Exception as error:  # cattrs wraps whatever a hook or a validator raised
        explained = explain(error)
        if not explained:
            raise
        faults += explained
        return None


def _raw_lines(document: dict[str, Any]) -> list[Any]:
    lines = document.get("lines", [])
    return lines if isinstance(lines, list) else []


def _options(raw: Any, path: str, faults: list[str], document: dict[str, Any]) -> Any:
    """The line's options as its driver's type; their faults are added. A wrong driver name is a fault of its own."""
    if not isinstance(raw, dict):
        return None
    options = raw.get("options", {})
    where = f"{path}.options" if path else "options"
    if not isinstance(options, dict):
        faults.append(f"{place(where, document)}: must be a table ([lines.options])")
        return None
    if not isinstance(raw.get("driver"), str):
        return None
    try:
        options_type = driver_type(raw["driver"]).options_type
    except ConfigError:
        return None
    except ImportError as error:
        faults.append(f"{place(path, document)}: driver {raw['driver']!r} cannot be loaded: {error}; reinstall Offhook")
        return None
    return _collect(faults, lambda: structure(options, options_type), lambda e: faults_in(e, document, where))


def _repeated(document: dict[str, Any]) -> list[str]:
    """Line ids and devices that stand twice."""
    faults = []
    ids: dict[str, int] = {}
    devices: dict[str, int] = {}
    for index, raw in enumerate(_raw_lines(document)):
        if not isinstance(raw, dict):
            continue
        name = raw.get("id")
        if isinstance(name, str) and ids.setdefault(name, index) != index:
            faults.append(f"lines[{index}].id: {name!r} is the id of lines[{ids[name]}] already; ids are used once")
        device = repr((raw.get("driver"), raw.get("options")))
        if raw.get("options") and devices.setdefault(device, index) != index:
            other = place(f"lines[{devices[device]}]", document)
            faults.append(
                f"{place(f'lines[{index}]', document)}: driver and options are those of {other}; a device is one line"
            )
    return faults
