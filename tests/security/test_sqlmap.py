"""sqlmap over every parameter of every route: query, form, JSON body, path, cookie and header."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import pytest
from flask import Flask

from tests.security.conftest import ADDRESSES, CSRF, Attacked, attacking, listening
from tests.security.seeded import seeded_app
from tests.security.surface import FIRST_RUN, NO_ANSWER_TO_READ, Target, routes_left, targets
from webui.users.throttle import Throttle
from webui.users.tokens import Scope

SQLMAP = shutil.which("sqlmap")
pytestmark = [
    pytest.mark.security,
    pytest.mark.timeout(5400),
    pytest.mark.skipif(SQLMAP is None, reason="sqlmap is not installed"),
]
CLEAN = "all tested parameters do not appear to be injectable"
FOUND = "sqlmap identified the following injection point"
AT_ONCE = 3
NOT_ASKED = NO_ANSWER_TO_READ | FIRST_RUN | {"auth.logout", "system.restore", "system.update"}
"""What would not answer, is closed, ends the session, or takes a file: its fields open that file, and no query."""
ANSWERS = "follow=N,redirect=N,merge=N,extending=N,skip test=N,already=N,process it=Y,URI injections=N,URL encode=N"


@dataclass(frozen=True)
class Question:
    """One request for sqlmap; where a star stands, that place alone is attacked."""

    url: str
    method: str = "GET"
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    parameters: int = 1


def sqlmap(asked: Question) -> str:
    """What sqlmap says of one request."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            str(SQLMAP), "-u", asked.url, "--method", asked.method, "--batch", "--flush-session", "--disable-coloring",
            "--dbms", "sqlite", "--technique", "BEUS", "--level", "1", "--risk", "1", "--threads", "1",
            "--timeout", "20", "--retries", "1", "--output-dir", folder, "--skip", "csrf_token", "--ignore-code", "*",
            "-v", "1", "--answers", ANSWERS,
        ]  # fmt: skip
        command += ["--data", asked.body] if asked.body else []
        for name, value in asked.headers.items():
            command += ["-H", f"{name}: {value}"]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=900, check=False, stdin=subprocess.DEVNULL
        )
        return done.stdout + done.stderr


@pytest.mark.parametrize("where", ["query", "form", "path", "json", "cookie"])
def test_it_finds_what_is_seeded(where: str) -> None:
    with listening(seeded_app()) as address:
        said = sqlmap(
            {
                "query": Question(f"{address}/person?id=1"),
                "form": Question(f"{address}/person", "POST", "id=1"),
                "path": Question(f"{address}/person/1*"),
                "json": Question(f"{address}/person/json", "POST", '{"id": 1}', {"Content-Type": "application/json"}),
                "cookie": Question(f"{address}/person/cookie", headers={"Cookie": 'id="1*"'}),
            }[where]
        )
    assert FOUND in said, said[-3000:]


def test_it_finds_nothing_in_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Throttle, "wait_s", lambda _self, _key: 0.0)
    with attacking(tmp_path) as attacked:
        found = targets(attacked.app, attacked.who, ADDRESSES)
        assert routes_left(attacked.app, found) == set()
        bearer = attacked.services.tokens.make(1, "sqlmap", tuple(Scope), days=None)
        with listening(attacked.app) as address, ThreadPoolExecutor(AT_ONCE) as pool:
            asked = [
                *(each for target in found for each in _of_page(attacked, target, address)),
                *_of_api(attacked.app, address, bearer),
                *_of_headers(attacked, address),
            ]
            said = list(pool.map(lambda each: (each, sqlmap(each)), asked))
    print(f"{len(said)} requests, {sum(each.parameters for each, _ in said)} parameters")
    holes = [f"{each.method} {each.url}: {text[-1500:]}" for each, text in said if FOUND in text]
    untested = [
        f"{each.method} {each.url} {each.body}: {text[-600:]}"
        for each, text in said
        if CLEAN not in text and FOUND not in text
    ]
    assert holes == []
    assert untested == []


def _headers(attacked: Attacked, endpoint: str) -> dict[str, str]:
    """A session of its own for each request, so that none ends another's."""
    client = attacked.who(endpoint) if attacked.is_for_others(endpoint) else attacked.session()
    kept = client.get_cookie("offhook")
    assert kept is not None
    return {"Cookie": f"offhook={kept.value}", "X-CSRF-Token": CSRF}


def _of_page(attacked: Attacked, target: Target, address: str) -> Iterator[Question]:
    if target.endpoint in NOT_ASKED or target.endpoint.startswith("api."):
        return
    headers = _headers(attacked, target.endpoint)
    address = address.replace("127.0.0.1", "localhost")  # passkeys ask for a name
    if target.fields and target.json:
        headers |= {"Content-Type": "application/json"}
        yield Question(address + target.path, target.method, json.dumps(target.fields), headers, len(target.fields))
    elif target.fields and target.method == "GET":
        yield Question(f"{address}{target.path}?{urlencode(target.fields)}", "GET", "", headers, len(target.fields))
    elif target.fields:
        yield Question(address + target.path, target.method, urlencode(target.fields), headers, len(target.fields))
    for part in target.parts:
        marked = re.sub(rf"/{re.escape(part)}(?=/|\.|$)", f"/{part}*", target.path, count=1)
        if "*" in marked:
            yield Question(address + marked, target.method, "x=1" if target.method != "GET" else "", headers)


def _of_api(app: Flask, address: str, bearer: str) -> Iterator[Question]:
    """The contract of the API names its parameters; tests/webui/test_api.py holds it against the routes."""
    contract = app.test_client().get("/api/v1/openapi.json").get_json()
    values = {
        "since": "2026-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z", "line": "fxo-1", "limit": "5", "offset": "0",
    }  # fmt: skip
    headers = {"Authorization": f"Bearer {bearer}"}
    for path, operations in contract["paths"].items():
        for method, about in operations.items():
            query = {p["name"]: values[p["name"]] for p in about.get("parameters", []) if p["in"] == "query"}
            schema = about.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            body = {
                name: 1 if kind.get("type") == "integer" else "x" for name, kind in schema.get("properties", {}).items()
            }
            plain = re.sub(r"\{\w+\}", "fxo-1" if "/lines/" in path else "call-1", f"{address}/api/v1{path}")
            if query:
                yield Question(f"{plain}?{urlencode(query)}", method.upper(), "", headers, len(query))
            if body:
                kind = {"Content-Type": "application/json"}
                yield Question(plain, method.upper(), json.dumps(body), headers | kind, len(body))
            for name in re.findall(r"\{\w+\}", path):
                starred = path.replace(name, "call-1*")
                url = f"{address}/api/v1" + re.sub(r"\{\w+\}", "flac", starred)
                yield Question(url, method.upper(), json.dumps(body) if body else "", headers)


def _of_headers(attacked: Attacked, address: str) -> Iterator[Question]:
    """What a browser or a program sends beside its parameters, and the page looks up or writes down.

    In quotes, because Werkzeug drops a cookie with a space in it."""
    cookie = _headers(attacked, "")["Cookie"]
    login = urlencode({"csrf_token": CSRF, "name": "owner", "password": "wrong"})
    for name in ("language", "theme"):
        yield Question(f"{address}/live/", headers={"Cookie": f'{cookie}; {name}="en*"'})
    yield Question(f"{address}/live/", headers={"Cookie": 'offhook="x*"'})
    yield Question(f"{address}/api/v1/status", headers={"Authorization": "Bearer offhook_x*"})
    for name in ("User-Agent", "Host", "Accept-Language", "X-Forwarded-For"):
        stranger = _headers(attacked, "auth.login")
        yield Question(f"{address}/login", "POST", login, stranger | {name: "x*"})
