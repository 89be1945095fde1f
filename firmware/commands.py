"""The recorder's commands over its socket: what each one does. The list stands in docs/interfaces.md."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from firmware import certificates
from firmware.annotation_commands import add_annotation_commands
from firmware.edges_command import judged, raw_edges
from firmware.errors import RequestError
from firmware.events import DigitsRequested, PlayRequested
from firmware.identity import Identity
from firmware.ipc.dispatcher import Dispatcher
from firmware.live import Json, LiveView
from firmware.ports import FoundDevice
from firmware.prompts import load_prompt
from firmware.runtime import LINE_REQUESTS, Runtime
from firmware.settings import SettingsService
from firmware.sim_commands import add_sim_commands
from firmware.sim_desk import SimDesk
from firmware.store import alarms, boot, retention_ask
from firmware.store.alarm_texts import ALARMS
from firmware.store.database import SCHEMA_VERSION
from firmware.store.erasure import erase_recording
from firmware.store.writer import StoreWriter


def commands(
    *,
    runtime: Runtime,
    live: LiveView,
    store: StoreWriter,
    settings: SettingsService,
    identity: Identity,
    found: Callable[[], list[FoundDevice]],
    version: str,
    reconfigured: Callable[[], None],
    data_dir: Path = Path(),
    sims: SimDesk | None = None,
) -> Dispatcher:
    """Every command but ``subscribe``, which is the server's own. ``reconfigured`` makes applied settings real."""
    dispatcher = Dispatcher()

    def hello() -> Json:
        return {"version": version, "device_id": identity.device_id, "pid": os.getpid(), "schema": SCHEMA_VERSION}

    def acknowledge(alarm: int, by: str) -> Json:
        store.call(lambda tx: alarms.acknowledge(tx, alarm=alarm, by=by))
        return {}

    def raise_of_another(key: str, subject: str, detail: str) -> Json:
        told = {"detail": detail}
        store.call(lambda tx: alarms.raise_alarm(tx, key=_of_another(key), subject=subject, at=tx.now, params=told))
        return {}

    def resolve_of_another(key: str, subject: str) -> Json:
        store.call(lambda tx: alarms.resolve_alarm(tx, key=_of_another(key), subject=subject, at=tx.now))
        return {}

    def retention_decide(ask: int, yes: bool, by: str) -> Json:
        store.call(lambda tx: retention_ask.decide(tx, ask=ask, yes=yes, by=by))
        return {}

    def config_get() -> Json:
        current = settings.get()
        return {"version": current.version, "document": current.document}

    def config_apply(base_version: int, document: str, by: str) -> Json:
        applied = settings.apply(base_version, document, by)
        reconfigured()
        return {"version": applied}

    def erase(recording: str, by: str, reason: str) -> Json:
        return {"erased": erase_recording(store, data_dir, recording=recording, by=by, reason=reason)}

    def clock_told(source: str) -> Json:
        if source != "cloud":
            raise RequestError("bad_request", f'the clock can be told by "cloud", not {source!r:.40}')
        store.call(lambda tx: boot.follow_clock(tx, source=source))
        return {}

    dispatcher.add("hello", hello)
    dispatcher.add("recording.erase", erase, {"recording": str, "by": str, "reason": str})
    dispatcher.add("clock.told", clock_told, {"source": str})
    dispatcher.add("state", live.full_state)
    dispatcher.add("alarm.ack", acknowledge, {"alarm": int, "by": str})
    dispatcher.add("alarm.raise", raise_of_another, {"key": str, "subject": str, "detail": str})
    dispatcher.add("alarm.resolve", resolve_of_another, {"key": str, "subject": str})
    dispatcher.add("retention.decide", retention_decide, {"ask": int, "yes": bool, "by": str})
    dispatcher.add("config.get", config_get)
    dispatcher.add("config.check", lambda document: {"faults": settings.check(document)}, {"document": str})
    dispatcher.add("config.apply", config_apply, {"base_version": int, "document": str, "by": str})
    dispatcher.add("identity.public", lambda: certificates.about(identity))
    dispatcher.add("fieldtest.sign", lambda document: certificates.sign(identity, document), {"document": str})
    dispatcher.add("lines.found", lambda: {"devices": [asdict(device) for device in found()]})
    dispatcher.add(
        "line.edges",
        lambda line, since_boot_ns: raw_edges(runtime, line, since_boot_ns),
        {"line": str, "since_boot_ns": int},
    )
    dispatcher.add(
        "line.judge",
        lambda line, idle, moments: judged(runtime, line, idle, moments),
        {"line": str, "idle": dict, "moments": list},
    )
    for name, event in LINE_REQUESTS.items():
        required: dict[str, type] = {"line": str, "number": str} if name == "line.dial" else {"line": str}
        optional: dict[str, type] = {"confirmed": bool} if name == "line.dial" else {}
        dispatcher.add(name, _line_request(runtime, event), required, optional)
    dispatcher.add("line.digits", lambda line, digits: _digits(runtime, line, digits), {"line": str, "digits": str})
    dispatcher.add("line.play", lambda line, prompt: _play(runtime, line, prompt), {"line": str, "prompt": str})
    add_sim_commands(dispatcher, sims)
    add_annotation_commands(dispatcher, store)
    return dispatcher


def _of_another(key: str) -> str:
    """Alarms that the other processes of the box may raise; the recorder raises its own itself."""
    if key not in ALARMS or not key.startswith("sync_"):
        raise RequestError("bad_request", f"no alarm {key!r} can be raised from outside the recorder")
    return key


def _digits(runtime: Runtime, line: str, digits: str) -> Json:
    if not re.fullmatch(r"[0-9*#ABCD]{1,32}", digits, re.ASCII):
        raise RequestError("bad_request", f"1 to 32 keys of 0 to 9, *, # and A to D, not {len(digits)} characters")
    runtime.ask(line, DigitsRequested, digits=digits)
    return {}


def _play(runtime: Runtime, line: str, prompt: str) -> Json:
    runtime.ask(line, PlayRequested, pcm=load_prompt(prompt))
    return {}


def _line_request(runtime: Runtime, event: Any) -> Callable[..., Json]:
    def ask(line: str, **fields: Any) -> Json:
        runtime.ask(line, event, **fields)
        return {}

    return ask
