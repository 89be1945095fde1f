"""Prints the software bill of materials of a slot (CycloneDX 1.5, JSON): Debian's packages and our Python packages.

Usage: sbom.py ROOT VERSION EPOCH_S. Licences are those that the packages themselves declare; Debian's copyright files
and the wheels' licence files stay in the slot.
"""

from __future__ import annotations

import json
import re
import sys
import uuid
from datetime import UTC, datetime
from email import message_from_string
from pathlib import Path
from typing import Any
from urllib.parse import quote


def debian(root: Path) -> list[dict[str, Any]]:
    """What dpkg says is installed."""
    found = []
    for block in (root / "var/lib/dpkg/status").read_text(encoding="utf-8").split("\n\n"):
        package = message_from_string(block)
        if package["Status"] != "install ok installed":
            continue
        name, version, architecture = package["Package"], package["Version"], package["Architecture"]
        purl = f"pkg:deb/debian/{name}@{quote(version, safe='')}?arch={architecture}&distro=debian-13"
        found.append(
            {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
            | _licences(copyright_licences(root / "usr/share/doc" / name / "copyright"))
        )
    return found


def copyright_licences(path: Path) -> list[str]:
    """Short names of a machine-readable copyright file; empty for an older one."""
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8", errors="replace")
    if not text.startswith("Format:"):
        return []
    return sorted(set(re.findall(r"^License: *(\S[^\n]*)$", text, re.MULTILINE)))


def python(folder: Path) -> list[dict[str, Any]]:
    """The packages in our own Python folder."""
    found = []
    for metadata in sorted(folder.glob("*.dist-info/METADATA")):
        package = message_from_string(metadata.read_text(encoding="utf-8"))
        name, version = package["Name"], package["Version"]
        purl = f"pkg:pypi/{name.lower().replace('_', '-')}@{version}"
        licence = package["License-Expression"] or package["License"]
        if not licence or "\n" in licence:
            classified = [
                line.rsplit(" :: ", 1)[1] for line in package.get_all("Classifier", []) if line.startswith("License ::")
            ]
            licence = " OR ".join(classified)
        found.append(
            {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
            | _licences([licence] if licence else [])
        )
    return found


def _licences(names: list[str]) -> dict[str, Any]:
    return {"licenses": [{"license": {"name": name}} for name in names]} if names else {}


def bill(root: Path, version: str, epoch_s: int) -> dict[str, Any]:
    components = [*debian(root), *python(root / "usr/lib/offhook/python")]
    named = json.dumps(components, sort_keys=True)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, named)}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {"type": "operating-system", "name": "offhook-image", "version": version},
        },
        "components": components,
    }


if __name__ == "__main__":
    json.dump(bill(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])), sys.stdout, indent=1, sort_keys=True)
