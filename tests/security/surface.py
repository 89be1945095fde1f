"""Everything that a stranger or a user can send to the page, learned from the page itself.

The forms and links of each page say what a browser sends; what a view looks up in a request beyond that is noted while
it answers. So a new field and a new route are attacked without anybody writing them down.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from flask import Flask, Request, request
from flask.testing import FlaskClient
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from tests.webui.box import BROWSER

_UPLOAD = "multipart/form-data"
_LEADS = ("href", "src", "data-peaks", "hx-get", "data-address")
_PASSKEY = {"id": "AAAA", "rawId": "AAAA", "type": "public-key", "response": "x"}
JSON = {"auth.passkey": _PASSKEY, "account.passkey": _PASSKEY}
"""What scripts send as JSON, which no form shows. The API's bodies stand in its contract."""
OF_SCRIPTS = {"live.events": {"tab": "1", "levels": "1"}}
STRANGERS = {"auth.login", "auth.first_run", "auth.passkey", "auth.passkey_options", "setup.restore"}
"""Whoever is logged in already is sent on from these."""
HALF_WAY = {"auth.second_factor"}
FIRST_RUN = {"auth.first_run", "setup.restore"}
"""Open on a box that has no account yet, and on no other."""
NO_ANSWER_TO_READ = {"live.events", "live.listen", "static"}
"""Streams without an end, and the files of the package."""


@dataclass(frozen=True)
class Target:
    """One request that the page takes: its route, an address that fits it, and the fields with sensible values."""

    endpoint: str
    method: str
    path: str
    fields: dict[str, str] = field(hash=False)
    upload: bool = False
    json: bool = False
    parts: tuple[str, ...] = ()
    """The parts of the path that are parameters."""


@dataclass
class Form:
    action: str
    method: str
    upload: bool
    fields: dict[str, str]


class _Page(HTMLParser):
    """The forms and links of one page."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._here = address
        self.forms: list[Form] = []
        self.links: list[str] = []
        self._open: Form | None = None
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        had = {name: value or "" for name, value in attrs}
        if tag not in ("link", "script"):
            self.links += [had[name] for name in _LEADS if had.get(name, "").startswith("/")]
        if tag == "form":
            action = had.get("action") or self._here
            self._open = Form(action, had.get("method", "get").upper(), had.get("enctype") == _UPLOAD, {})
            self.forms.append(self._open)
        elif self._open is not None and tag in ("input", "textarea", "select", "button"):
            name = had.get("name", "")
            if name and had.get("type") != "file":
                self._open.fields.setdefault(name, had.get("value", ""))
            if tag == "select":
                self._select = name
            if had.get("formaction"):
                self.forms.append(Form(had["formaction"], self._open.method, self._open.upload, self._open.fields))
        elif self._open is not None and tag == "option" and self._select and not self._open.fields.get(self._select):
            self._open.fields[self._select] = had.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        elif tag == "select":
            self._select = ""


class _Noting(ImmutableMultiDict):  # type: ignore[type-arg]
    """The fields of a request, and which of them somebody asked for."""

    def _note(self, key: object) -> None:
        if isinstance(key, str) and key != "csrf_token":
            ASKED.setdefault((request.endpoint or "", request.method), set()).add(key)

    def get(self, key: Any, *args: Any, **kwargs: Any) -> Any:
        self._note(key)
        return super().get(key, *args, **kwargs)

    def getlist(self, key: Any, *args: Any, **kwargs: Any) -> Any:
        self._note(key)
        return super().getlist(key, *args, **kwargs)

    def __getitem__(self, key: Any) -> Any:
        self._note(key)
        return super().__getitem__(key)


ASKED: dict[tuple[str, str], set[str]] = {}
"""Endpoint and method → the fields that the view looked up."""


class NotingRequest(Request):
    """A request that notes in `ASKED` what is asked of it."""

    parameter_storage_class = _Noting


def targets(app: Flask, who: Callable[[str], FlaskClient], addresses: list[str]) -> list[Target]:
    """Every request that the pages at ``addresses`` lead to, and every one that the route map knows besides.

    ``who``: the browser that may go to an endpoint; "" is the owner's."""
    app.request_class = NotingRequest
    found: dict[tuple[str, str, bool], Target] = {}
    adapter = app.url_map.bind("localhost")

    def add(method: str, address: str, fields: dict[str, str], upload: bool = False) -> None:
        split = urlsplit(address)
        try:
            endpoint, values = adapter.match(split.path, method=method)
        except (HTTPException, MethodNotAllowed):
            return
        fields = {name: value for name, value in fields.items() if name != "csrf_token"}
        fields |= dict(parse_qsl(split.query)) if method == "GET" else {}
        key = (endpoint, method, upload)
        before = found.get(key)
        merged = (before.fields if before else {}) | fields
        if before:
            found[key] = replace(before, fields=merged)
        else:
            parts = tuple(str(each) for each in values.values())
            fields = merged | JSON.get(endpoint, OF_SCRIPTS.get(endpoint, {}))
            found[key] = Target(endpoint, method, split.path, fields, upload, endpoint in JSON, parts)

    for address in addresses:
        answer = who("").get(address, headers=BROWSER)
        if answer.mimetype != "text/html":
            continue
        add("GET", address, {})
        page = _Page(address)
        page.feed(answer.text)
        for form in page.forms:
            add(form.method, form.action, form.fields, form.upload)
        for link in page.links:
            add("GET", link, {})
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            if (rule.endpoint, method, False) not in found and (rule.endpoint, method, True) not in found:
                add(method, re.sub(r"<(int:)?[^>]+>", "1", rule.rule), {})
    for target in found.values():
        _add_what_it_asks(who(target.endpoint), target)
    return list(found.values())


def _add_what_it_asks(client: FlaskClient, target: Target) -> None:
    """Adds the fields that no form has, and that the view looks up all the same."""
    if target.endpoint in NO_ANSWER_TO_READ or target.endpoint == "auth.logout":
        return
    send(client, target, target.fields)
    for name in ASKED.get((target.endpoint, target.method), set()):
        target.fields.setdefault(name, "1")


def routes_left(app: Flask, found: list[Target]) -> set[tuple[str, str]]:
    """Routes that nothing in ``found`` attacks."""
    known = {(rule.endpoint, method) for rule in app.url_map.iter_rules() for method in rule.methods or ()}
    attacked = {(target.endpoint, target.method) for target in found}
    return {(endpoint, method) for endpoint, method in known - attacked if method not in ("HEAD", "OPTIONS")}


def send(client: FlaskClient, target: Target, fields: dict[str, str], path: str | None = None) -> Any:
    """The answer to ``target`` with these fields."""
    if target.method == "GET":
        return client.get(path or target.path, query_string=fields, headers=BROWSER)
    if target.json:
        headers = BROWSER | {"X-CSRF-Token": token(client)}
        return client.open(path or target.path, method=target.method, json=fields, headers=headers)
    body = {"csrf_token": token(client), **fields}
    kind = {"content_type": _UPLOAD} if target.upload else {}
    return client.open(path or target.path, method=target.method, data=body, headers=BROWSER, **kind)


def token(client: FlaskClient) -> str:
    """What the forms of this session carry."""
    with client.session_transaction() as session:
        return str(session.setdefault("csrf", "a-token-of-the-test"))


def spread(target: Target) -> Iterator[tuple[str, str]]:
    """Each parameter of ``target``: ("field", name) or ("path", value)."""
    yield from (("field", name) for name in sorted(target.fields))
    yield from (("path", part) for part in target.parts)
