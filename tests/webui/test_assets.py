"""What the browser gets of others: the committed files are the listed ones, and every icon has its drawing."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from flask.testing import FlaskClient

from tests.docs.tree import ROOT, rows, section
from tests.webui.box import BROWSER

PAGE = ROOT / "webui"
VENDOR = PAGE / "static" / "vendor"
LISTED = json.loads((VENDOR / "vendor.json").read_text())


def _sources() -> list[Path]:
    return [*PAGE.glob("templates/**/*.html"), *PAGE.glob("static/app/*.js"), *PAGE.glob("**/*.py")]


def test_each_vendored_file_is_the_listed_one() -> None:
    listed = {f"{package['folder']}/{file['file']}": file["sha256"] for package in LISTED for file in package["files"]}
    there = {
        str(path.relative_to(VENDOR)): hashlib.sha256(path.read_bytes()).hexdigest() for path in VENDOR.glob("*/*")
    }
    assert there == listed, "run `make vendor` and commit"


def test_versions_are_those_of_the_lock() -> None:
    wanted = json.loads((PAGE / "vendoring" / "package.json").read_text())["dependencies"]
    locked = json.loads((PAGE / "vendoring" / "package-lock.json").read_text())["packages"]
    assert {package["name"]: package["version"] for package in LISTED} == wanted
    assert {name: locked[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert all(entry.get("integrity") for path, entry in locked.items() if path)


def test_each_vendored_package_has_its_licence_and_its_notice() -> None:
    named = {
        cells[0]: cells[1] for cells in rows(section("THIRD-PARTY-NOTICES.md", "Files of others that the page serves"))
    }
    assert named == {package["name"]: package["licence"] for package in LISTED}
    assert all((VENDOR / package["folder"] / "LICENSE").stat().st_size > 200 for package in LISTED)


def test_each_icon_that_is_asked_for_is_drawn() -> None:
    drawn = set(re.findall(r'<symbol id="([\w-]+)"', (PAGE / "static/app/icons.svg").read_text()))
    assert drawn == set(json.loads((PAGE / "vendoring" / "icons.json").read_text())), "run `make vendor`"
    asked = {
        name
        for path in _sources()
        for name in re.findall(r'\b(?:icon|drawing|empty|dialog_button)\(\s*"([a-z0-9-]+)"\s*[,)]', path.read_text())
        if "dialog_button" not in path.read_text() or name in drawn
    }
    assert asked - drawn == set()


def test_files_with_a_version_in_their_address_are_kept_by_browsers(owner: FlaskClient) -> None:
    html = owner.get("/live/", headers=BROWSER).text
    addresses = set(re.findall(r'(?:href|src)="(/static/[^"#]+)', html))
    assert len(addresses) >= 6
    for address in addresses:
        answer = owner.get(address)
        assert answer.status_code == 200, address
        assert "immutable" in answer.headers["Cache-Control"], address
    assert "immutable" not in owner.get("/static/app/words.js").headers["Cache-Control"]
