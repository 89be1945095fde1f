"""Prints apt sources for the image's suite, with the Debian mirror of this host. None of it is kept in an image.

Usage: sources.py SUITE. Reads the host's sources in both of apt's formats.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

COMPONENTS = "main non-free-firmware"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def mirrors(text_of_sources: str) -> tuple[list[str], list[str]]:
    """URIs of Debian itself and of its security archive, in the order they are written."""
    main: list[str] = []
    security: list[str] = []
    for line in text_of_sources.splitlines():
        found = re.match(r"\s*(?:URIs:|deb\s+(?:\[[^\]]*\]\s*)?)\s*(\S.*)$", line)
        if not found:
            continue
        uris = found[1].split() if line.lstrip().startswith("URIs:") else found[1].split()[:1]
        for uri in uris:
            path = uri.rstrip("/").rsplit("/", 1)[-1]
            if path == "debian" and uri not in main:
                main.append(uri)
            elif path == "debian-security" and uri not in security:
                security.append(uri)
    return main, security


def host_sources(etc_apt: Path) -> str:
    files = [etc_apt / "sources.list", *sorted((etc_apt / "sources.list.d").glob("*.list"))]
    files += sorted((etc_apt / "sources.list.d").glob("*.sources"))
    return "\n".join(file.read_text() for file in files if file.is_file())


def deb822(uri: str, suites: str) -> str:
    return f"Types: deb\nURIs: {uri}\nSuites: {suites}\nComponents: {COMPONENTS}\nSigned-By: {KEYRING}\n"


def main(suite: str, etc_apt: Path = Path("/etc/apt")) -> int:
    debian, security = mirrors(host_sources(etc_apt))
    if not debian:
        print(f"{etc_apt}: no Debian mirror is set up there; the image is built from the host's own", file=sys.stderr)
        return 1
    # A mirror that serves both has one address with two last parts.
    secure = security or [debian[0].rstrip("/").removesuffix("debian") + "debian-security"]
    stanzas = [deb822(debian[0], f"{suite} {suite}-updates {suite}-backports"), deb822(secure[0], f"{suite}-security")]
    print("\n".join(stanzas), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
