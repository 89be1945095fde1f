"""Calibration of a line board: a person lets it ring, lifts the handset, and reads what the board is like.

The page holds three moments and the sensors' rest, in the visitor's own signed session; edges and judgement are the
recorder's (``line.edges``, ``line.judge``).
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, abort, flash, make_response, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from firmware.errors import RequestError
from firmware.ipc.client import RecorderClient, RecorderUnreachableError
from firmware.signals.loop_watch import Sensor
from firmware.signals.raw_edges import HOOK_QUIET_MS, RING_QUIET_MS, RawEdge, settled
from webui import settings_document
from webui.box_lines import names
from webui.permissions import Permission, require
from webui.services import services
from webui.settings_document import line_table
from webui.translate import _

blueprint = Blueprint("calibration", __name__, url_prefix="/settings/lines")

_KEY = "calibration"
_NOT_YET = 2**62
"""A moment after which there is no edge: only what holds now is answered."""


@blueprint.get("/<line>/calibrate")
@require(Permission.HARDWARE)
def show(line: str) -> str:
    _known(line)
    return render_template("settings/calibrate.html", line=line, label=names().get(line, line), **_look(line))


@blueprint.post("/<line>/calibrate")
@require(Permission.HARDWARE)
def start(line: str) -> ResponseReturnValue:
    """Begins, or begins anew: from now on each edge counts."""
    _known(line)
    now = _asked("line.edges", line=line, since_boot_ns=_NOT_YET)
    if "said" in now:
        flash(now["said"], "danger")
    else:
        session[_KEY] = {"line": line, "idle": now["levels"], "moments": [now["now_boot_ns"]]}
    return redirect(url_for("calibration.show", line=line))


@blueprint.get("/<line>/calibrate/now")
@require(Permission.HARDWARE)
def now_part(line: str) -> Response:
    """The part that renews itself, until there is a judgement: that comes as a page of its own."""
    _known(line)
    about = _look(line)
    response = make_response(render_template("settings/_calibrate.html", line=line, **about))
    if about["step"] == 3:
        response.headers["HX-Refresh"] = "true"
    return response


@blueprint.post("/<line>/calibrate/next")
@require(Permission.HARDWARE)
def go_on(line: str) -> ResponseReturnValue:
    """On to the handset, or to the judgement, for whoever does not want to wait until the line is quiet."""
    kept = _kept(line) or abort(409, description=_("Begin first."))
    now = _asked("line.edges", line=line, since_boot_ns=_NOT_YET)
    if "said" not in now and len(kept["moments"]) < 3:
        session[_KEY] = kept | {"moments": [*kept["moments"], now["now_boot_ns"]]}
    return redirect(url_for("calibration.show", line=line))


@blueprint.post("/<line>/calibrate/voltage")
@require(Permission.HARDWARE)
def keep_voltage(line: str) -> ResponseReturnValue:
    """Writes the voltages that were found into the line's options."""
    found = _look(line).get("verdict", {}).get("voltage") or abort(409, description=_("Begin first."))

    def edit(document: Any) -> None:
        table = line_table(document, line)
        if table is not None:
            options = dict(table.get("options", {})) | {name: found[name] for name in ("on_hook_v", "hook_threshold")}
            table["options"] = options

    version = settings_document.base_version(request.form.get("base_version", ""))
    outcome = settings_document.change(version, f"line {line}", edit)
    flash(_("Saved. A line that is in a call changes when the call is over.") if outcome.done else outcome.faults[0],
          "success" if outcome.done else "danger")  # fmt: skip
    return redirect(url_for("calibration.show", line=line))


def _known(line: str) -> None:
    if line not in names():
        abort(404)


def _kept(line: str) -> dict[str, Any] | None:
    kept = session.get(_KEY)
    return kept if isinstance(kept, dict) and kept.get("line") == line else None


def _look(line: str) -> dict[str, Any]:
    """What the person is to see now; goes one step on when a step is over."""
    kept = _kept(line)
    moments: list[int] = kept["moments"] if kept else []
    about: dict[str, Any] = {"step": len(moments), "version": settings_document.in_force().version}
    about |= {"sensor_words": sensor_words(), "moved": False, "volts_now": None, "faults": []}
    now = _asked("line.edges", line=line, since_boot_ns=moments[-1] if moments else _NOT_YET)
    if kept is None or "said" in now:
        return about | now
    about |= now | {"moved": bool(now["edges"]), "volts_now": now["volts"][-1][0] if now["volts"] else None}
    if len(moments) < 3 and _over(now, kept["idle"], RING_QUIET_MS if len(moments) == 1 else HOOK_QUIET_MS):
        moments = [*moments, now["now_boot_ns"]]
        session[_KEY] = kept | {"moments": moments}
        about |= {"step": len(moments), "moved": False}
    if len(moments) == 3:
        about["verdict"] = _asked("line.judge", line=line, idle=kept["idle"], moments=moments)
        about["faults"] = [fault_words().get(each, each) for each in about["verdict"].get("faults", ())]
    return about


def _over(now: dict[str, Any], idle: dict[str, bool], quiet_ms: float) -> bool:
    edges = [RawEdge(Sensor(name), bool(active), at / 1e6) for name, active, at in now["edges"]]
    levels = {Sensor(name): bool(level) for name, level in now["levels"].items()}
    rest = {Sensor(name): bool(level) for name, level in idle.items()}
    return settled(edges, levels, rest, now["now_boot_ns"] / 1e6, quiet_ms)


def _asked(cmd: str, **arguments: Any) -> dict[str, Any]:
    """The recorder's answer, or ``said``: why there is none."""
    try:
        with RecorderClient(services().run_dir / "recorder.sock") as recorder:
            return dict(recorder.request(cmd, **arguments))
    except RecorderUnreachableError:
        return {"said": _("The recorder does not answer. Try again in a few seconds.")}
    except RequestError as error:
        unfit = error.code in ("not_supported", "no_such_line")
        return {"said": _("This line has no sensors that could be calibrated.") if unfit else str(error)}


def sensor_words() -> dict[str, str]:
    return {
        Sensor.RING.value: _("Ring sensor"),
        Sensor.OFF_HOOK.value: _("Handset sensor"),
    }


def fault_words() -> dict[str, str]:
    """What `firmware.analog.calibration` finds, in words."""
    return {
        "swapped_ringing": _(
            "The ring and off-hook pins are swapped: while it rang, the handset sensor pulsed and the ring sensor did "
            "not. Exchange the two pins in the board's profile."
        ),
        "swapped_handset": _(
            "The ring and off-hook pins are swapped: the lifted handset was seen on the ring pin. Exchange the two "
            "pins in the board's profile."
        ),
        "ring_unmoved": _(
            "It rang and the ring sensor did not move: check its wiring and its pin number in the board's profile."
        ),
        "off_hook_unmoved": _(
            "The handset was lifted and its sensor did not stay on: check its wiring and its pin number."
        ),
        "ring_always": _(
            "The ring sensor is on while nobody uses the line: its active_high is the wrong way round, or the line has "
            "no voltage."
        ),
        "off_hook_always": _(
            "The handset sensor is on while nobody uses the line: its active_high is the wrong way round, or the line "
            "has no voltage."
        ),
        "voltage_unseen": _(
            "The handset was lifted and the line's voltage did not show it: check the converter's wiring and ratio."
        ),
    }
