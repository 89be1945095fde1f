"""What an owner wrote onto the card before its first start, in the formats that Raspberry Pi Imager makes.

`user-data` and `network-config` (cloud-init), `custom.toml`, and `firstrun.sh`. They are read, never executed: of a
script only the lines are understood that the Imager is known to write. Pure: text in, wishes out.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

_HOST_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_KEY = re.compile(r"(?:ssh-(?:ed25519|rsa)|ecdsa-sha2-nistp\d+|sk-[\w@.-]+) [A-Za-z0-9+/=]{40,}(?: [^\n]*)?")
_ZONE = re.compile(r"[A-Za-z]+(?:/[A-Za-z0-9_+-]+){0,2}")
_COUNTRY = re.compile(r"[A-Z]{2}")


@dataclass(frozen=True, slots=True)
class Wifi:
    ssid: str
    password: str = field(repr=False)
    """8 to 63 characters, or the 64 hex digits made of them; empty: an open network."""
    country: str = ""
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Customisation:
    host_name: str = ""
    ssh_keys: tuple[str, ...] = ()
    wifi: Wifi | None = None
    time_zone: str = ""
    ignored: tuple[str, ...] = ()
    """What was asked for and is not done, with the reason."""


def read(files: dict[str, str]) -> Customisation:
    """All of ``files`` (name to text) together; a later format fills what an earlier one left open.

    Nothing stops it: what cannot be read is among `Customisation.ignored`.
    """
    made = Customisation()
    readers = {
        "user-data": _user_data,
        "network-config": _network_config,
        "custom.toml": _custom_toml,
        "firstrun.sh": _firstrun,
    }
    for name, reader in readers.items():
        if name not in files:
            continue
        try:
            made = _filled(made, reader(files[name]))
        except (ValueError, yaml.YAMLError, AttributeError, TypeError, KeyError) as error:
            reason = (str(error).splitlines() or ["?"])[0][:200]
            made = replace(made, ignored=(*made.ignored, f"{name}: it cannot be read: {reason}"))
    return checked(made)


def _filled(first: Customisation, second: Customisation) -> Customisation:
    return Customisation(
        host_name=first.host_name or second.host_name,
        ssh_keys=tuple(dict.fromkeys((*first.ssh_keys, *second.ssh_keys))),
        wifi=first.wifi or second.wifi,
        time_zone=first.time_zone or second.time_zone,
        ignored=(*first.ignored, *second.ignored),
    )


def checked(made: Customisation) -> Customisation:
    """Without what cannot be done; why not is among `Customisation.ignored`."""
    ignored = list(made.ignored)
    host_name = made.host_name
    if host_name and not _HOST_NAME.fullmatch(host_name):
        ignored.append(f"host name {host_name!r:.80}: letters, digits and hyphens only")
        host_name = ""
    keys = []
    for key in made.ssh_keys:
        if _KEY.fullmatch(key):
            keys.append(key)
        else:
            ignored.append(f"ssh key {key!r:.30}...: it is no public key")
    zone = made.time_zone
    if zone and not _ZONE.fullmatch(zone):
        ignored.append(f"time zone {zone!r:.60}: there is none of this name")
        zone = ""
    wifi = made.wifi
    if wifi is not None and not 1 <= len(wifi.ssid.encode()) <= 32:
        ignored.append("Wi-Fi: a network's name has 1 to 32 bytes")
        wifi = None
    if wifi is not None and wifi.password and not re.fullmatch(r"[ -~]{8,63}|[0-9a-fA-F]{64}", wifi.password):
        ignored.append("Wi-Fi: a password has 8 to 63 printable characters")
        wifi = None
    if wifi is not None and wifi.country and not _COUNTRY.fullmatch(wifi.country):
        wifi = replace(wifi, country="")
    return Customisation(host_name, tuple(keys), wifi, zone, tuple(ignored))


def _user_data(text: str) -> Customisation:
    told = yaml.safe_load(text) or {}
    keys = [str(key).strip() for key in told.get("ssh_authorized_keys") or []]
    ignored = []
    for user in told.get("users") or []:
        if not isinstance(user, dict):
            continue
        keys += [str(key).strip() for key in user.get("ssh_authorized_keys") or []]
        if user.get("passwd") or user.get("plain_text_passwd"):
            ignored.append(
                f"user {user.get('name')!r:.40}: there are no accounts with a password here, only keys for root"
            )
    if told.get("runcmd") or told.get("packages"):
        ignored.append("runcmd, packages: nothing is executed or installed from the card")
    return Customisation(
        host_name=str(told.get("hostname") or ""),
        ssh_keys=tuple(keys),
        time_zone=str(told.get("timezone") or ""),
        ignored=tuple(ignored),
    )


def _network_config(text: str) -> Customisation:
    told = yaml.safe_load(text) or {}
    network = told.get("network", told)
    for about in (network.get("wifis") or {}).values():
        for ssid, said in (about.get("access-points") or {}).items():
            point = said or {}
            password = point.get("password") or (point.get("auth") or {}).get("password") or ""
            country = str(about.get("regulatory-domain") or "")
            return Customisation(wifi=Wifi(str(ssid), str(password), country, bool(point.get("hidden"))))
    return Customisation()


def _custom_toml(text: str) -> Customisation:
    told: dict[str, Any] = tomllib.loads(text)
    wlan = told.get("wlan") or {}
    wifi = None
    if wlan:
        country = str(wlan.get("country") or "")
        wifi = Wifi(str(wlan["ssid"]), str(wlan.get("password") or ""), country, bool(wlan.get("hidden")))
    return Customisation(
        host_name=str((told.get("system") or {}).get("hostname") or ""),
        ssh_keys=tuple(str(key).strip() for key in (told.get("ssh") or {}).get("authorized_keys") or []),
        wifi=wifi,
        time_zone=str((told.get("locale") or {}).get("timezone") or ""),
    )


def _firstrun(text: str) -> Customisation:
    """The script of the Imager up to 1.8: calls of ``imager_custom``, or what it does where that is missing."""
    host_name = ssid = password = country = zone = ""
    keys: list[str] = []
    hidden = False
    for line in text.splitlines():
        try:
            words = shlex.split(line, comments=True)
        except ValueError:
            continue
        if "set_hostname" in words:
            host_name = host_name or _after(words, "set_hostname")
        elif "set_wlan" in words:
            rest = [word for word in words[words.index("set_wlan") + 1 :] if word != "-h"]
            hidden = "-h" in words
            ssid, password, country = (*rest, "", "", "")[:3]
        elif "set_timezone" in words:
            zone = zone or _after(words, "set_timezone")
        elif "enable_ssh" in words and "-k" in words:
            keys += [key for key in _after(words, "-k").split("\n") if key]
        keys += [word for word in words if _KEY.fullmatch(word)]
        if found := re.match(r'\s*ssid="(.*)"$', line):
            ssid = ssid or found[1]
        if found := re.match(r'\s*psk="?([^"]*)"?$', line):
            password = password or found[1]
        if found := re.match(r"\s*country=([A-Z]{2})$", line):
            country = country or found[1]
        if not host_name and (found := re.match(r'echo "?([\w-]+)"? *>/etc/hostname', line.strip())):
            host_name = found[1]
    wifi = Wifi(ssid, password, country, hidden) if ssid else None
    return Customisation(host_name, tuple(dict.fromkeys(keys)), wifi, zone)


def _after(words: list[str], word: str) -> str:
    at = words.index(word) + 1
    return words[at] if at < len(words) else ""


def supplicant(wifi: Wifi) -> str:
    """wpa_supplicant's file for one network. Names and passwords go as hex, so that nothing in them means anything."""
    lines = ["ctrl_interface=DIR=/run/wpa_supplicant", "update_config=0"]
    if wifi.country:
        lines.append(f"country={wifi.country}")
    lines += ["network={", f"    ssid={wifi.ssid.encode().hex()}"]
    if wifi.hidden:
        lines.append("    scan_ssid=1")
    if not wifi.password:
        lines.append("    key_mgmt=NONE")
    elif len(wifi.password) == 64:
        lines.append(f"    psk={wifi.password.lower()}")
    else:
        # Everything up to the last quotation mark of the line is the password.
        lines += [f'    psk="{wifi.password}"', "    key_mgmt=WPA-PSK SAE"]
        lines.append("    ieee80211w=1")
    return "\n".join([*lines, "}", ""])
