"""A page with holes, for proving that each tool finds what it is sent for. It exists in the tests alone."""

from __future__ import annotations

import sqlite3
from typing import Any

from flask import Flask, Response, jsonify, render_template_string, request
from flask.typing import ResponseReturnValue

CONTRACT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Seeded", "version": "1"},
    "paths": {
        "/people": {
            "get": {
                "parameters": [
                    {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 9}},
                ],
                "responses": {
                    "200": {
                        "description": "People",
                        "content": {
                            "application/json": {
                                "schema": {
                                    "type": "object",
                                    "required": ["people"],
                                    "properties": {"people": {"type": "array"}},
                                }
                            }
                        },
                    }
                },
            }
        }
    },
}
"""What the API of this page promises, and does not keep."""


def seeded_app() -> Flask:
    app = Flask("seeded")
    database = sqlite3.connect(":memory:", check_same_thread=False)
    database.executescript(
        "CREATE TABLE person (id INTEGER, name TEXT); INSERT INTO person VALUES (1, 'anna'), (2, 'mei'), (3, 'robert');"
    )

    @app.get("/person")
    def by_query() -> str:
        return _people(database, request.args.get("id", "1"))

    @app.post("/person")
    def by_form() -> str:
        return _people(database, request.form.get("id", "1"))

    @app.get("/person/<number>")
    def by_path(number: str) -> str:
        return _people(database, number)

    @app.post("/person/json")
    def by_json() -> str:
        return _people(database, str(request.get_json()["id"]))

    @app.get("/person/cookie")
    def by_cookie() -> str:
        return _people(database, request.cookies.get("id", "1"))

    @app.get("/echo/<where>")
    def echo(where: str) -> Response:
        said = request.args.get("said", "")
        return Response(HOLES[where].replace("SAID", said), mimetype="text/html")

    @app.get("/template")
    def template() -> str:
        return render_template_string("<p>" + request.args.get("said", "") + "</p>")

    @app.get("/drawn")
    def drawn() -> str:
        return (
            "<p></p><script>document.querySelector('p').innerHTML = new URL(location).searchParams.get('said')</script>"
        )

    @app.get("/openapi.json")
    def contract() -> Response:
        return jsonify(CONTRACT)

    @app.get("/people")
    def people() -> ResponseReturnValue:
        limit = int(request.args.get("limit", "3"))  # 500 for whatever is no number
        return jsonify({"persons": list(range(limit))})  # not what the contract says

    return app


HOLES = {
    "text": "<p>SAID</p>",
    "attribute": '<p title="SAID">x</p>',
    "bare": "<p title=SAID>x</p>",
    "single": "<p title='SAID'>x</p>",
    "link": '<a href="SAID">x</a>',
    "textarea": "<textarea>SAID</textarea>",
    "title": "<title>SAID</title>",
    "script": '<script type="application/json">{"said": "SAID"}</script>',
    "comment": "<!-- SAID -->",
}
"""Each place of a page that text from outside may break out of."""


def _people(database: sqlite3.Connection, number: str) -> str:
    try:
        rows = database.execute(f"SELECT name FROM person WHERE id = {number}").fetchall()
    except sqlite3.Error:
        return "<p>nobody</p>"
    return "".join(f"<p>{name}</p>" for (name,) in rows) or "<p>nobody</p>"
