"""Puts the page together: `create_app` is the only way to make it, and starts nothing."""

from __future__ import annotations

import logging
from pathlib import Path

from flask import Flask, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import IntegerConverter, Map

from webui import assets, i18n, navigation, permissions, security, settings_document, uploads, words, words_of_storage
from webui.api import metrics, v1
from webui.box_zone import BoxZone
from webui.feed.hub import Hub
from webui.feed.subscription import Subscription
from webui.field_test import FieldTestDesk
from webui.live_sound import Listeners
from webui.media import MediaFiles
from webui.media_sweep import MediaSweep
from webui.pages import (
    account,
    alarms,
    audit,
    auth,
    calibration,
    call,
    calls,
    calls_bulk,
    calls_export,
    calls_views,
    cloud,
    cloud_link,
    field_test,
    lines,
    live,
    media,
    people,
    recording_rules,
    settings,
    setup,
    sims,
    storage,
    system,
    tokens,
)
from webui.search.index import SearchIndex
from webui.search.keeper import SearchKeeper
from webui.services import Services
from webui.translate import _
from webui.users.audit import AuditLog
from webui.users.audit_follow import AuditFollow
from webui.users.passkeys import Passkeys
from webui.users.people import People
from webui.users.second_factor import SecondFactor
from webui.users.store import UserStore
from webui.users.throttle import Throttle
from webui.users.tokens import Tokens
from webui.users.views import Views

log = logging.getLogger("offhook.web")

PAGES = (
    account, alarms, audit, auth, calibration, call, calls, calls_bulk, calls_export, calls_views, cloud, cloud_link,
    field_test, lines, live, media, metrics, people, recording_rules, settings, setup, sims, storage, system, tokens,
    v1,
)  # fmt: skip

FORM_BYTES_AT_MOST = 64 * 1024


class RowNumber(IntegerConverter):
    """``<int:...>`` of an address, as far as SQLite can count: beyond that there is nothing, and no fault either."""

    def __init__(self, url_map: Map) -> None:
        super().__init__(url_map, max=2**63 - 1)


def create_app(
    data_dir: Path,
    run_dir: Path,
    *,
    cache_dir: Path | None = None,
    behind_proxy: bool = False,
    trusted_hosts: list[str] | None = None,
) -> Flask:
    """The page over the box's data and run folders.

    ``behind_proxy``: nginx ends TLS before it and tells the caller's address; cookies are then for https alone.
    ``trusted_hosts``: the names it answers to (against DNS rebinding); ``None`` is any.
    Raises `firmware.errors.StoreError` when web.db cannot be used.
    """
    app = Flask(__name__)
    app.url_map.converters["int"] = RowNumber
    users = UserStore(data_dir / "web.db")
    audit_log = AuditLog(users)
    hub = Hub()
    media_files = MediaFiles(data_dir=data_dir, cache_dir=cache_dir or data_dir / "web-cache")
    search = SearchIndex(data_dir, cache_dir or data_dir / "web-cache")
    app.extensions["offhook"] = Services(
        data_dir=data_dir,
        run_dir=run_dir,
        users=users,
        people=People(users),
        audit=audit_log,
        audit_follow=AuditFollow(data_dir, users, audit_log),
        second_factor=SecondFactor(users),
        passkeys=Passkeys(users),
        tokens=Tokens(users),
        hub=hub,
        subscription=Subscription(run_dir, hub),
        media=media_files,
        sweep=MediaSweep(data_dir=data_dir, media=media_files),
        zone=BoxZone(data_dir),
        field_test=FieldTestDesk(data_dir, run_dir),
        listeners=Listeners(),
        views=Views(users),
        search=search,
        search_keeper=SearchKeeper(search),
        by_address=Throttle(free_failures=5, first_wait_s=15.0, longest_wait_s=900.0),
        by_name=Throttle(free_failures=10, first_wait_s=5.0, longest_wait_s=60.0),
    )
    app.config.update(
        SECRET_KEY=users.cookie_key(),
        SESSION_COOKIE_NAME="__Host-offhook" if behind_proxy else "offhook",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_COOKIE_SECURE=behind_proxy,
        MAX_CONTENT_LENGTH=FORM_BYTES_AT_MOST,
        MAX_FORM_MEMORY_SIZE=FORM_BYTES_AT_MOST,
        TRUSTED_HOSTS=trusted_hosts,
    )
    if behind_proxy:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)  # type: ignore[method-assign]
    i18n.install(app)
    assets.install(app)
    uploads.install(app)
    security.install(app, https=behind_proxy)
    for page in PAGES:
        app.register_blueprint(page.blueprint)
    permissions.check_every_route(app)
    navigation.install(app)
    app.before_request(settings_document.tell_of_conflict)
    app.context_processor(lambda: {"words": words, "size": words_of_storage.size, "driver_words": lines.drivers})
    app.register_error_handler(HTTPException, _error_page)
    return app


def _error_page(error: HTTPException) -> ResponseReturnValue:
    """One page for all refusals; scripts get the sentence alone."""
    if request.path.startswith(f"{v1.blueprint.url_prefix}/"):
        return v1.refusal(error)
    status = error.code or 500
    known = {
        400: _("The box did not understand this request."),
        401: _("Log in first."),
        403: _("Your role does not allow this."),
        404: _("There is nothing at this address."),
        413: _("This is too big."),
        500: _("Something went wrong inside the page. The box's log says what; recording goes on."),
    }
    told = status in (400, 403, 404, 409, 503) and error.description and error.description != type(error).description
    sentence = error.description if told else known.get(status, error.name)
    if not request.accept_mimetypes.accept_html or request.headers.get("Sec-Fetch-Dest", "document") != "document":
        return str(sentence), status, {"Content-Type": "text/plain; charset=utf-8"}
    return render_template("error.html", status=status, sentence=sentence), status
