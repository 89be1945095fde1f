"""Puts what an owner wrote onto the card into force, and takes it off the card: it holds a Wi-Fi password and keys."""

from __future__ import annotations

import os
from pathlib import Path

from appliance.customisation import Customisation, read, supplicant

SETTINGS = "offhook.toml"
FILES = (SETTINGS, "user-data", "network-config", "custom.toml", "firstrun.sh")
_AT_MOST = 256 * 1024
_RECORDER, _GROUP = 402, 400
"""image-build/files/usr/lib/sysusers.d; the file is for the recorder, which reads it once."""


def apply(card: Path, state: Path, data: Path) -> list[str]:
    """What was done, and what was not and why, a line each. Raises OSError."""
    found = {name: _text(card / name) for name in FILES if (card / name).is_file()}
    told = []
    wished = read({name: text for name, text in found.items() if text is not None})
    told += [f"ignored: {reason}" for reason in wished.ignored]
    told += [f"ignored: {name}: larger than {_AT_MOST >> 10} KiB" for name, text in found.items() if text is None]
    settings = found.get(SETTINGS)
    if settings is None and wished.time_zone:
        settings = f'[box]\ntime_zone = "{wished.time_zone}"\n'
    if settings is not None:
        told.append(_settings(data, settings))
    told += _state(state, wished)
    for name in found:
        (card / name).unlink()
    return told


def _settings(data: Path, text: str) -> str:
    if (data / "offhook.db").exists():
        return f"ignored: {SETTINGS}: this box has settings already; change them on the page"
    put(data / "first-boot.toml", text, 0o640)
    os.chown(data / "first-boot.toml", _RECORDER, _GROUP)
    return "settings taken"


def _state(state: Path, wished: Customisation) -> list[str]:
    told = []
    if wished.host_name:
        put(state / "hostname", wished.host_name.lower() + "\n", 0o644)
        told.append(f"host name {wished.host_name.lower()}")
    if wished.ssh_keys:
        (state / "ssh").mkdir(mode=0o700, exist_ok=True)
        put(state / "ssh" / "authorized_keys", "\n".join(wished.ssh_keys) + "\n", 0o600)
        told.append(f"ssh for {len(wished.ssh_keys)} key(s)")
    if wished.wifi is not None:
        put(state / "wifi.conf", supplicant(wished.wifi), 0o600)
        told.append("Wi-Fi")
    return told


def _text(path: Path) -> str | None:
    if path.stat().st_size > _AT_MOST:
        return None
    return path.read_text(encoding="utf-8", errors="replace")


def put(path: Path, text: str, mode: int) -> None:
    """The whole file or none of it, on the disk before it has its name."""
    draft = path.with_name(f".{path.name}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.chmod(mode)
    draft.replace(path)
