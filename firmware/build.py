"""The one composition root of the recorder: who is made of what, and in which order they start and stop."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from firmware.after_commit import AfterCommit
from firmware.alive import AliveMark
from firmware.audio.recorder import SoundRecorder
from firmware.clock import SystemClock, boot_id
from firmware.commands import commands
from firmware.config import PanelSettings, Settings
from firmware.effects import Account, RaiseAlarm, ResolveAlarm, SaveCall
from firmware.errors import DeviceError
from firmware.gpio.factory import pin_factory
from firmware.identity import Identity
from firmware.inheritance import inherit
from firmware.ipc.server import IpcServer
from firmware.line_keeper import LineKeeper
from firmware.live import LiveView
from firmware.model import LineId
from firmware.panel import Panel, board_panel
from firmware.pin_safe import PinSafe
from firmware.plugged_in import PluggedIn
from firmware.runtime import Runtime
from firmware.settings import SettingsService
from firmware.signals.countries import profiles as country_profiles
from firmware.sim_desk import SimDesk
from firmware.store.database import open_reader
from firmware.store.facts import HoleEnded
from firmware.store.ledger import lines_with_open_holes
from firmware.store.recovery import open_calls_as_stored
from firmware.store.stored_versions import StoredVersions
from firmware.store.transaction import Committed
from firmware.store.writer import StoreWriter
from firmware.worker import Worker

log = logging.getLogger("offhook.core")

_SEAL_DEADLINE_S = 5.0
_FLUSH_DEADLINE_S = 5.0


class Box:
    """The recorder's parts, joined. `start` and `stop` are called once each, by the service."""

    def __init__(self, data_dir: Path, run_dir: Path, identity: Identity) -> None:
        """Opens the database and reads the settings. Raises `StoreError` and `ConfigError`, with what to do."""
        country_profiles()  # a damaged file is found now, not in a call
        self._database = data_dir / "offhook.db"
        self._clock = SystemClock()
        self._boot_id = boot_id()
        self._alive = AliveMark(run_dir, data_dir, self._boot_id)
        # Before the core loop makes marks of its own.
        self._last_seen = self._alive.last_seen()
        self.turned = threading.Event()
        """Set by each turn of the core loop; the service clears it and pets the watchdog."""
        self._live = LiveView(self._clock)
        self._server: IpcServer | None = None
        self._loaded: SettingsService | None = None
        self._store = StoreWriter(self._database, self._clock, on_commit=self._committed)
        self._recorder = SoundRecorder(self._post, self._clock, data_dir, self._boot_id)
        self._after_commit = AfterCommit(
            self._database,
            self._live,
            publish=self._publish,
            confirm=self._recorder.confirm,
            time_zone=self._time_zone,
            clock=self._clock,
        )
        self._store.start()
        settings = SettingsService(StoredVersions(self._store))
        settings.import_first_boot(data_dir / "first-boot.toml")
        self._settings = self._loaded = settings
        self._sims = SimDesk(
            database=self._database,
            store=self._store,
            safe=PinSafe(identity),
            settings=lambda: self._settings.get().settings,
            clock=self._clock,
            clock_wish=Path(os.environ.get("RUNTIME_DIRECTORY", run_dir)) / "network-time",
        )
        self._sims.load()
        self._runtime = Runtime(
            clock=self._clock,
            store=self._store,
            recorder=self._recorder,
            live=self._live,
            publish=self._publish,
            on_turn=self._turn,
            on_report=self._sims.on_report,
            may_dial=self._sims.may_dial,
        )
        self._keeper = LineKeeper(
            runtime=self._runtime,
            recorder=self._recorder,
            store=self._store,
            clock=self._clock,
            attach=self._sims.attach,
            detach=self._sims.detach,
        )
        self._plugged_in = PluggedIn(
            settings=self._settings, store=self._store, clock=self._clock, reconfigured=self._reconfigured
        )
        dispatcher = commands(
            runtime=self._runtime,
            live=self._live,
            store=self._store,
            settings=self._settings,
            identity=identity,
            found=self._plugged_in.devices,
            version=version("offhook"),
            reconfigured=self._reconfigured,
            data_dir=data_dir,
            sims=self._sims,
        )
        self._server = IpcServer(run_dir / "recorder.sock", dispatcher, self._live.full_state)
        # A folder that only the recorder may write to: whoever can leave a file there can switch the box off.
        self._power_off = Path(os.environ.get("RUNTIME_DIRECTORY", run_dir)) / "power-off"
        self._panel: Panel | None = None
        self._core = Worker("core", self._runtime.run)
        self._watching = False
        self._last_settle_ns = 0

    def start(self) -> None:
        """From here on every line of the settings, and every found device, is watched."""
        assert self._server is not None
        if self._last_seen is None:
            # The very first start: from now on the box is expected to watch.
            self._alive.touch(self._clock.now())
        self._server.start()
        self._after_commit.refresh()
        self._core.start()
        self._plugged_in.look()
        settings = self._settings.get()
        self._live.set_config_version(settings.version)
        self._take_over(settings.settings)
        # Not before: a process that is killed while it starts has watched nothing.
        self._watching = True
        self._tell_of(settings.faults)
        # After the lines: what a crash left can wait, a ring cannot.
        set_aside = self._recorder.recover().set_aside
        if set_aside:
            names = ", ".join(str(path) for path in set_aside)
            at = self._clock.now()
            self._store.submit([RaiseAlarm(key="spool_unreadable", subject="spool", at=at, params={"files": names})])
        self._plugged_in.start()
        self._start_panel(settings.settings)

    def stop(self) -> None:
        """Start reversed. Open calls stay open in the database: they go on, or are ended, at the next start."""
        if self._server is not None:
            self._server.stop()
        self._plugged_in.stop()
        if self._panel is not None:
            self._panel.stop()
        self._runtime.do(self._keeper.stop, deadline_s=10.0)
        self._recorder.close(_SEAL_DEADLINE_S)
        self._core.stop(_SEAL_DEADLINE_S)
        self._store.stop(_FLUSH_DEADLINE_S)
        self._alive.leave(self._clock.now())

    @property
    def summary(self) -> str:
        """One line for `systemctl status`."""
        lines = self._live.full_state()["lines"]
        recording = sum(1 for line in lines if line["recording"])
        present = sum(1 for line in lines if line["present"])
        return f"{present} of {len(lines)} lines in sight, {recording} recording"

    @property
    def live(self) -> LiveView:
        return self._live

    def _take_over(self, settings: Settings) -> None:
        now = self._clock.now()
        reader = open_reader(self._database)
        try:
            calls = open_calls_as_stored(reader)
            unwatched = lines_with_open_holes(reader)
        finally:
            reader.conn.close()
        inherited, ended = inherit(settings, calls, self._last_seen, boot_id=self._boot_id, now=now)
        self._store.submit([e for e in ended if isinstance(e, SaveCall | Account | RaiseAlarm | ResolveAlarm)])
        known = {line.id for line in settings.lines}
        self._store.submit([HoleEnded(line=LineId(line), until=now) for line in unwatched if line not in known])
        self._runtime.do(lambda: self._keeper.apply(settings, inherited), deadline_s=30.0)

    def _tell_of(self, faults: Sequence[str]) -> None:
        """What is wrong in settings that an earlier version had accepted; the sound part of them is in force."""
        if faults:
            reason = "; ".join(faults)
            at = self._clock.now()
            self._store.submit([RaiseAlarm(key="settings_refused", subject="box", at=at, params={"reason": reason})])

    def _start_panel(self, settings: Settings) -> None:
        """Lamps and button, where the settings or the board name their pins; without them the box records too."""
        self._power_off.unlink(missing_ok=True)
        pins = settings.panel if settings.panel != PanelSettings() else board_panel()
        if pins == PanelSettings():
            return
        try:
            panel = Panel(pins, self._live.full_state, self._power_off.touch, pin_factory())
            panel.start()
        except (DeviceError, OSError) as error:
            log.error("no lamps and no button: %s", error)
        else:
            self._panel = panel

    def _reconfigured(self) -> None:
        """Settings were applied: make them real, and tell the page."""
        current = self._settings.get()
        self._live.set_config_version(current.version)
        self._runtime.do(lambda: self._keeper.apply(current.settings), deadline_s=30.0)
        self._publish(self._live.full_state())

    # --- the ends of wires that are joined before both sides exist ---

    def _post(self, event: object) -> None:
        self._runtime.post(event)  # type: ignore[arg-type]

    def _publish(self, event: dict[str, object]) -> None:
        if self._server is not None:
            self._server.publish(event)

    def _committed(self, committed: Sequence[object]) -> None:
        self._after_commit(committed)  # type: ignore[arg-type]
        for told in committed:
            if isinstance(told, Committed) and told.type == "call.ended":
                self._sims.after_call(told.body["line"])

    def _time_zone(self) -> str:
        """Where the box stands; the store may speak before the settings it holds are read."""
        return self._loaded.get().settings.box.time_zone if self._loaded is not None else "UTC"

    def _turn(self) -> None:
        now = self._clock.now()
        if self._watching and not self._store.waiting:
            # What is not committed yet is lost in a kill: it has not been watched before it is stored.
            self._alive.touch(now)
        self.turned.set()
        if self._keeper.unsettled and now.boot_ns - self._last_settle_ns > 1_000_000_000:
            self._last_settle_ns = now.boot_ns
            self._keeper.settle()
