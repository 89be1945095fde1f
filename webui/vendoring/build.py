"""``make vendor`` (``python -m webui.vendoring.build``): fetches, trims and lays down what browsers need of others.

npm checks each package against the hash in package-lock.json. The result is committed, so that neither an installation
nor the tests need Node; ``vendor.json`` names version, licence and SHA-256 of each file, and a test compares.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGE = HERE.parent
TARGET = PAGE / "static" / "vendor"
SPRITE = PAGE / "static" / "app" / "icons.svg"
_SOURCE_MAP = re.compile(rb"\n?(?://|/\*)# sourceMappingURL=.*?(?:\*/|$)", re.MULTILINE)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for name in ("package.json", "package-lock.json", "purge.mjs"):
            shutil.copy(HERE / name, work)
        _run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=work)
        modules = work / "node_modules"
        shutil.rmtree(TARGET, ignore_errors=True)
        packages = [_lay(modules, name, wanted) for name, wanted in _plan().items()]
        _trim_tabler(work)
        SPRITE.write_text(sprite(modules / "@tabler" / "icons" / "icons" / "outline"))
    listed = [{**package, "files": _measured(package["folder"])} for package in packages]
    (TARGET / "vendor.json").write_text(json.dumps(listed, indent=1) + "\n")


def _plan() -> dict[str, Any]:
    plan: dict[str, Any] = json.loads((HERE / "files.json").read_text())
    return plan


def _lay(modules: Path, name: str, wanted: dict[str, Any]) -> dict[str, Any]:
    """Copies the named files of one package into a folder that carries its version."""
    version = json.loads((modules / name / "package.json").read_text())["version"]
    folder = f"{name.lstrip('@').replace('/', '-')}-{version}"
    (TARGET / folder).mkdir(parents=True)
    for source, target in wanted["files"].items():
        path = modules / name / source
        # @tabler/core names its licence and ships no text of it.
        content = (HERE / "tabler-core-licence.txt" if source == "LICENSE" and not path.exists() else path).read_bytes()
        (TARGET / folder / target).write_bytes(_SOURCE_MAP.sub(b"", content))
    return {"name": name, "version": version, "licence": wanted["licence"], "folder": folder}


def _trim_tabler(work: Path) -> None:
    """Only what is used, in a cascade layer of its own: our own rules win without being louder."""
    (path,) = TARGET.glob("tabler-core-*/tabler.css")
    content = [str(PAGE / "templates/**/*.html"), str(PAGE / "static/app/*.js"), str(PAGE / "**/*.py")]
    _run("node", "purge.mjs", str(path), str(path), str(HERE / "kit.txt"), *content, cwd=work)
    path.write_text("@layer tabler{" + path.read_text().removeprefix('@charset "UTF-8";') + "}\n")


def sprite(outlines: Path) -> str:
    """The drawings that icons.json names, as one file of symbols."""
    names: dict[str, str] = json.loads((HERE / "icons.json").read_text())
    style = "symbol{fill:none;stroke:currentColor;stroke-width:2;stroke-linecap:round;stroke-linejoin:round}"
    symbols = []
    for name, outline in names.items():
        drawing = (outlines / f"{outline}.svg").read_text()
        shapes = re.findall(
            r'<(?:path|circle|rect|line|polyline|ellipse)\b[^>]*?d="(?!M0 0h24v24H0z)[^"]*"[^>]*/>', drawing
        )
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{"".join(shapes)}</symbol>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg"><defs><style>{style}</style></defs>\n'
        + "\n".join(symbols)
        + "\n</svg>\n"
    )


def _measured(folder: str) -> list[dict[str, Any]]:
    return [
        {
            "file": path.name,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "gzip_bytes": len(gzip.compress(path.read_bytes(), 9)),
        }
        for path in sorted((TARGET / folder).iterdir())
    ]


def _run(*command: str, cwd: Path) -> None:
    subprocess.run(command, cwd=cwd, check=True)  # noqa: S603  a developer's own npm and node


if __name__ == "__main__":
    main()
