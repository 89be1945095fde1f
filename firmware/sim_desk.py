"""The box's side of all SIM modules: PINs, plans, the network's clock, and the orders people give."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable
from zoneinfo import ZoneInfo

from firmware.config import Settings
from firmware.effects import RaiseAlarm, ResolveAlarm
from firmware.errors import RequestError
from firmware.events import DialRequested
from firmware.minutes import LastMinutes, Plan, Usage, usage, verdict, warned_level
from firmware.model import LineId
from firmware.pin_safe import PinSafe
from firmware.ports import Clock
from firmware.sim import NetworkTimeTold, PinRefused, SignalSampled, SimReport, SimSeen, SimStatus
from firmware.store import sims
from firmware.store.database import open_reader
from firmware.store.facts import ClockSet
from firmware.store.writer import StoreWriter

log = logging.getLogger("offhook.sim")

Json = dict[str, Any]

ORDER_WITHIN_S: Final = 65.0
"""A message of several parts takes so long at most; a code is given up after 30 s."""
CLOCK_WRONG_S: Final = 30.0
"""The network's own clock is right to some seconds; less than this is not worth a step."""
PIN: Final = re.compile(r"\d{4,8}", re.ASCII)
"""3GPP TS 31.101 9.5.1: four to eight digits."""
PUK: Final = re.compile(r"\d{8}", re.ASCII)


@runtime_checkable
class SimLine(Protocol):
    """A driver of a line with a SIM card."""

    def use_pin(self, pin_for: Callable[[LineId, str | None], str | None], /) -> None: ...

    def sim_order(self, order: Callable[[Any], None], /) -> None: ...


class SimDesk:
    """Every call may come from any thread."""

    def __init__(
        self,
        *,
        database: Path,
        store: StoreWriter,
        safe: PinSafe,
        settings: Callable[[], Settings],
        clock: Clock,
        clock_wish: Path,
    ) -> None:
        """``clock_wish``: a file in which the box asks the system to set its clock (offhook-clock.path)."""
        self._database = database
        self._store = store
        self._safe = safe
        self._settings = settings
        self._clock = clock
        self._clock_wish = clock_wish
        self._lock = threading.Lock()
        self._drivers: dict[LineId, SimLine] = {}
        self._seen: dict[LineId, SimStatus] = {}
        self._pins: dict[str, tuple[str | None, bytes]] = {}
        self._told: dict[LineId, tuple[datetime, int | None]] = {}
        self._imeis: dict[LineId, str] = {}
        """The module that was at a line's place last, over all starts."""
        self._clock_asked = False
        self._clock_told = False

    def load(self) -> None:
        """Reads the PINs, and which modules were there. Before any line starts."""
        reader = open_reader(self._database)
        try:
            with self._lock:
                self._pins = {
                    row["line"]: (row["iccid"], row["sealed"]) for row in sims.pins(reader) if not row["refused"]
                }
                self._imeis = {LineId(row["line"]): row["imei"] for row in sims.statuses(reader) if row["imei"]}
        finally:
            reader.conn.close()

    # --- lines ---

    def attach(self, line: LineId, driver: object) -> None:
        """``driver`` is about to run ``line``; one without a SIM is nothing to this desk."""
        if isinstance(driver, SimLine):
            driver.use_pin(self.pin_for)
            with self._lock:
                self._drivers[line] = driver

    def detach(self, line: LineId) -> None:
        with self._lock:
            self._drivers.pop(line, None)
            self._seen.pop(line, None)

    def on_report(self, report: SimReport) -> None:
        """What a module told; it is stored by the runtime. Returns at once."""
        match report:
            case SimSeen(status=status) | SignalSampled(status=status):
                with self._lock:
                    self._seen[report.line] = status
                self._is_it_the_same_module(report, status)
            case PinRefused():
                with self._lock:
                    self._pins.pop(report.line, None)
            case NetworkTimeTold():
                self._set_clock(report)

    def _is_it_the_same_module(self, report: SimReport, status: SimStatus) -> None:
        """Modules are known by their place; another one there has its own number, and perhaps no right to be there."""
        if status.imei is None:
            return
        with self._lock:
            before = self._imeis.get(report.line)
            self._imeis[report.line] = status.imei
        if before is not None and before != status.imei:
            params = {"before": before, "imei": status.imei, "model": status.model or "?"}
            self._store.submit([RaiseAlarm(key="module_exchanged", subject=report.line, at=report.at, params=params)])

    def pin_for(self, line: LineId, iccid: str | None) -> str | None:
        """The admin's PIN for this card. One that was given for another card is not for this one."""
        with self._lock:
            known = self._pins.get(line)
        if known is None:
            return None
        meant_for, sealed = known
        if meant_for is not None and iccid is not None and meant_for != iccid:
            return None
        return self._safe.open(sealed, line=line)

    # --- orders of people ---

    def status(self) -> Json:
        """SIMs of docs/interfaces.md: what runs now, and the plan of each."""
        with self._lock:
            lines, seen = list(self._drivers), dict(self._seen)
        status = {line: seen.get(line, SimStatus()) for line in lines}
        return {
            "sims": [
                {"line": line}
                | sims.status_json(each)
                | {"pin_known": line in self._pins, "minutes": self.minutes(line)}
                for line, each in status.items()
            ]
        }

    def set_pin(self, line: str, pin: str) -> Json:
        """Keeps the PIN and has the module use it at once, when its card wants one."""
        driver = self._driver(line)
        if not PIN.fullmatch(pin):
            raise RequestError("bad_request", "a PIN has 4 to 8 digits")
        with self._lock:
            iccid = self._seen.get(LineId(line), SimStatus()).iccid
        sealed = self._safe.seal(pin, line=line)
        self._store.call(lambda tx: sims.set_pin(tx, line=line, iccid=iccid, sealed=sealed))
        with self._lock:
            self._pins[line] = (iccid, sealed)
        driver.sim_order(lambda care: care.look_at_card())
        return {}

    def forget_pin(self, line: str) -> Json:
        self._store.call(lambda tx: sims.forget_pin(tx, line=line))
        with self._lock:
            self._pins.pop(line, None)
        return {}

    def unblock(self, line: str, puk: str, pin: str) -> Json:
        """Gives a blocked card its PUK and a new PIN, and keeps the new PIN."""
        if not PUK.fullmatch(puk) or not PIN.fullmatch(pin):
            raise RequestError("bad_request", "a PUK has 8 digits and a PIN 4 to 8")
        result = self._order(line, lambda care, done: care.unblock(puk, pin, done))
        self.set_pin(line, pin)
        return result

    def ussd(self, line: str, code: str) -> Json:
        if not re.fullmatch(r"[*#][0-9*#]{1,60}", code, re.ASCII):
            raise RequestError("bad_request", f"{code!r:.40} is no code; they look like *100#")
        return self._order(line, lambda care, done: care.ask_ussd(code, done))

    def send_message(self, line: str, number: str, text: str) -> Json:
        return self._order(line, lambda care, done: care.send_message(number, text, done))

    def messages(self, line: str | None = None, limit: int = 100) -> Json:
        reader = open_reader(self._database)
        try:
            return {"messages": sims.messages(reader, line=line, limit=limit)}
        finally:
            reader.conn.close()

    def _order(self, line: str, give: Callable[[Any, Future[Json]], None]) -> Json:
        done: Future[Json] = Future()
        self._driver(line).sim_order(lambda care: give(care, done))
        try:
            return done.result(ORDER_WITHIN_S)
        except TimeoutError:
            raise RequestError("busy", f"the module of {line} did not answer within {ORDER_WITHIN_S:.0f} s") from None

    def _driver(self, line: str) -> SimLine:
        with self._lock:
            driver = self._drivers.get(LineId(line))
        if driver is None:
            raise RequestError(
                "no_such_line", f"no running line with a SIM card is called {line}; see offhook sim status"
            )
        return driver

    # --- minutes ---

    def minutes(self, line: str) -> Json | None:
        """USAGE of docs/interfaces.md; None for a line without a plan."""
        known = self._usage(LineId(line))
        return None if known is None else usage_json(*known)

    def may_dial(self, request: DialRequested) -> None:
        """Raises `RequestError` when the plan's last minutes are kept back. Emergency numbers always pass."""
        known = self._usage(request.line)
        if known is None:
            return
        plan, used = known
        left_min = (used.left_s or 0) // 60
        until = f"{used.period_ends.astimezone(self._zone()):%Y-%m-%d}"
        match verdict(plan, used, request.number):
            case LastMinutes.BLOCK:
                raise RequestError(
                    "no_minutes",
                    f"only {left_min} minutes are left on {request.line} until {until}; "
                    "they are kept back. Emergency numbers and free numbers can be called. See: offhook sim minutes",
                )
            case LastMinutes.ASK if not request.confirmed:
                raise RequestError(
                    "confirm_first", f"only {left_min} minutes are left on {request.line}: call all the same?"
                )

    def after_call(self, line: str) -> None:
        """A call ended: is a warning level of the plan passed?"""
        known = self._usage(LineId(line))
        if known is None:
            return
        plan, used = known
        level = warned_level(plan, used)
        now = self._clock.now()
        with self._lock:
            before = self._told.get(LineId(line))
            self._told[LineId(line)] = (used.period_begins, level)
        if before == (used.period_begins, level):
            return
        if level is None:
            self._store.submit([ResolveAlarm(key="minutes_low", subject=line, at=now)])
            return
        params = {
            "percent": str(int(used.used_percent)),
            "left": str((used.left_s or 0) // 60),
            "until": f"{used.period_ends.astimezone(self._zone()):%Y-%m-%d}",
        }
        self._store.submit([RaiseAlarm(key="minutes_low", subject=line, at=now, params=params)])

    def _usage(self, line: LineId) -> tuple[Plan, Usage] | None:
        settings = self._settings()
        plan = next((each.plan for each in settings.lines if each.id == line), None)
        if plan is None:
            return None
        now = datetime.fromtimestamp(self._clock.now().utc_ms / 1000, UTC)
        reader = open_reader(self._database)
        try:
            two_months_ms = 62 * 86_400_000
            calls = sims.metered_calls(reader, line=line, since_utc_ms=round(now.timestamp() * 1000) - two_months_ms)
        finally:
            reader.conn.close()
        return plan, usage(plan, calls, now, self._zone())

    def _zone(self) -> ZoneInfo:
        return self._settings().box.zone

    # --- the clock ---

    def _set_clock(self, told: NetworkTimeTold) -> None:
        """A box without a clock battery and without network takes the time from its SIM, once per start."""
        behind_s = abs(told.utc_ms - told.at.utc_ms) / 1000
        if self._clock_asked:
            if behind_s < CLOCK_WRONG_S and not self._clock_told:
                self._clock_told = True
                self._store.submit([ClockSet(at=told.at, source=f"sim:{told.line}")])
            return
        if behind_s < CLOCK_WRONG_S:
            return
        self._clock_asked = True
        log.warning("the clock is wrong by %.0f s, says the network of %s", behind_s, told.line)
        wish = self._clock_wish.with_suffix(".part")
        wish.write_text(f"{told.utc_ms // 1000} {told.line}\n")
        wish.replace(self._clock_wish)


def usage_json(plan: Plan, used: Usage) -> Json:
    """USAGE of docs/interfaces.md."""
    return {
        "period_begins_utc_ms": round(used.period_begins.timestamp() * 1000),
        "period_ends_utc_ms": round(used.period_ends.timestamp() * 1000),
        "calls": used.calls,
        "free_calls": used.free_calls,
        "used_s": used.used_s,
        "included_s": used.included_s,
        "left_s": used.left_s,
        "forecast_s": used.forecast_s,
        "will_run_out": used.will_run_out,
        "warned_percent": warned_level(plan, used),
    }
