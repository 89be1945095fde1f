"""SIM cards: how each fares, its PIN, its balance, its messages, its signal and its minutes."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from firmware.errors import RequestError
from firmware.ipc.client import RecorderClient, RecorderUnreachableError
from webui import sim_cards, sim_words
from webui.audit import record
from webui.permissions import Permission, require
from webui.services import services
from webui.sim_cards import Card, Cards
from webui.translate import _
from webui.users.audit import Action

blueprint = Blueprint("sims", __name__, url_prefix="/settings/sims")
blueprint.app_context_processor(lambda: {"sim_words": sim_words})

ORDER_DEADLINE_S = 70.0
"""A message of several parts, or a code that the network answers late, takes about a minute at most."""


@blueprint.get("/")
@require(Permission.HARDWARE)
def index() -> str:
    return render_template("sims/index.html", known=_cards())


@blueprint.get("/<line>/")
@require(Permission.HARDWARE)
def card(line: str) -> str:
    known, one = _card(line)
    days = request.args.get("days", default=1, type=int)
    return render_template(
        "sims/card.html",
        known=known,
        card=one,
        days=days if days in (1, 7, 30) else 1,
        signal=sim_cards.signal(line, days if days in (1, 7, 30) else 1),
        balances=sim_cards.balances(line),
        chart=(sim_cards.CHART_WIDTH, sim_cards.CHART_HEIGHT),
    )


@blueprint.get("/<line>/messages")
@require(Permission.HARDWARE, Permission.LISTEN)
def messages(line: str) -> str:
    """Whoever may hear calls may read messages; a technician need not."""
    known, one = _card(line)
    return render_template("sims/messages.html", known=known, card=one, messages=sim_cards.messages(line))


@blueprint.post("/<line>/pin")
@require(Permission.HARDWARE)
def pin(line: str) -> ResponseReturnValue:
    wanted = request.form.get("pin", "")
    if request.form.get("forget"):
        record(Action.SETTINGS_CHANGED, line, what="sim.pin.forget")
        _order(_("The PIN was forgotten."), "sim.pin.forget", line=line)
    elif not re.fullmatch(r"\d{4,8}", wanted, re.ASCII):
        flash(_("A PIN has 4 to 8 digits."), "danger")
    else:
        record(Action.SETTINGS_CHANGED, line, what="sim.pin")
        _order(_("The PIN is kept, and the card gets it now if it wants one."), "sim.pin", line=line, pin=wanted)
    return redirect(url_for(".card", line=line))


@blueprint.post("/<line>/unblock")
@require(Permission.HARDWARE)
def unblock(line: str) -> ResponseReturnValue:
    puk, new_pin = request.form.get("puk", ""), request.form.get("pin", "")
    if not re.fullmatch(r"\d{8}", puk, re.ASCII) or not re.fullmatch(r"\d{4,8}", new_pin, re.ASCII):
        flash(_("A PUK has 8 digits and a PIN 4 to 8."), "danger")
    elif new_pin != request.form.get("pin_again", ""):
        flash(_("The two PINs differ. Nothing was sent to the card."), "danger")
    else:
        record(Action.SETTINGS_CHANGED, line, what="sim.unblock")
        _order(_("The card took its PUK and has its new PIN."), "sim.unblock", line=line, puk=puk, pin=new_pin)
    return redirect(url_for(".card", line=line))


@blueprint.post("/<line>/balance")
@require(Permission.HARDWARE, Permission.DIAL)
def balance(line: str) -> ResponseReturnValue:
    code = request.form.get("code", "").strip()
    if not re.fullmatch(r"[*#][0-9*#]{1,60}", code, re.ASCII):
        flash(_("A code looks like *100#. Your operator says which one tells the balance."), "danger")
    else:
        record(Action.DIALLED, line, code=code)
        told = _order("", "sim.ussd", line=line, code=code)
        if told is not None:
            flash(_("The network answered: %(text)s", text=told["text"]), "success")
    return redirect(url_for(".card", line=line))


@blueprint.post("/<line>/messages")
@require(Permission.HARDWARE, Permission.LISTEN, Permission.DIAL)
def send(line: str) -> ResponseReturnValue:
    number, text = request.form.get("number", "").strip(), request.form.get("text", "")
    if not re.fullmatch(r"\+?[0-9 ()/.-]{2,30}", number, re.ASCII) or not text.strip():
        flash(_("A message needs a number and a text."), "danger")
    else:
        record(Action.DIALLED, line, message_to=number)
        _order(_("The message was sent."), "sim.sms.send", line=line, number=number, text=text)
    return redirect(url_for(".messages", line=line))


def _cards() -> Cards:
    """Those of the lines that the person at the page sees."""
    known = sim_cards.cards()
    return replace(known, cards=tuple(card for card in known.cards if current_user.sees_line(card.line)))


def _card(line: str) -> tuple[Cards, Card]:
    known = _cards()
    one = known.of(line)
    if one is None:
        abort(404)
    return known, one


def _order(done: str, cmd: str, /, **args: Any) -> dict[str, Any] | None:
    """What the recorder answers; its refusal is shown as a sentence, and None returned."""
    try:
        with RecorderClient(services().run_dir / "recorder.sock", deadline_s=ORDER_DEADLINE_S) as recorder:
            told: dict[str, Any] = recorder.request(cmd, **args)
    except RecorderUnreachableError:
        flash(_("The recorder does not answer. Try again in a few seconds."), "danger")
        return None
    except RequestError as error:
        flash(sim_words.refusal(error), "danger")
        return None
    if done:
        flash(done, "success")
    return told
