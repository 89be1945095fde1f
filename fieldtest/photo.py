"""A technician's picture of the place: turned upright, made small, and without what a phone writes into it."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from fieldtest.run import RunError

_LONGEST_BYTES = 25 * 1024 * 1024
_LONGEST_SIDE = 1600


def prepared(path: Path) -> bytes:
    """JPEG without EXIF (where it was taken is nobody's business). Raises `RunError` for what is no picture."""
    if path.stat().st_size > _LONGEST_BYTES:
        raise RunError(f"{path} is larger than {_LONGEST_BYTES // 1024 // 1024} MB; take a smaller picture")
    try:
        with Image.open(path) as picture:
            upright = ImageOps.exif_transpose(picture).convert("RGB")
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise RunError(f"{path} is no picture that can be read: {error}") from error
    upright.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    out = io.BytesIO()
    upright.save(out, "JPEG", quality=80)
    return out.getvalue()
