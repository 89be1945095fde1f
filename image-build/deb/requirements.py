"""Prints the pinned requirements less those that Debian brings: what goes into the package's own Python folder.

Debian's package is taken where it is the pinned version or works as well and is built for the machine (`FROM_DEBIAN`);
the rest is taken at the versions that the tests ran with, since Debian 13 has older ones.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

FROM_DEBIAN = {
    "pyserial": "3.5 is the pinned version",
    "pyyaml": "6.0.2 has all that is used of 6.0.3, and is built against the system's libyaml",
    "systemd-python": "235 is the pinned version; there are no wheels",
    "pyalsaaudio": "0.10.0 has all that is used of 0.11; there are no wheels",
    "pip": "nothing is installed on a box",
    "setuptools": "nothing is built on a box",
}


def vendored(pins: str) -> str:
    """The blocks (a pin and its hashes) of all packages that are not Debian's."""
    blocks = re.split(r"\n(?=\S)", pins)
    return "\n".join(block for block in blocks if block.split("==")[0] not in FROM_DEBIAN) + "\n"


if __name__ == "__main__":
    sys.stdout.write(vendored(Path(sys.argv[1]).read_text(encoding="utf-8")))
