"""SHA-256 of a file, as the recorder computes it when it seals."""

from __future__ import annotations

import hashlib
from pathlib import Path


def sha256_of(path: Path) -> str:
    """Hex. Raises `OSError`."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
