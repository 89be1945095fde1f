"""Which network interface a connection goes out by, without asking netlink (the unit may not)."""

from __future__ import annotations

import fcntl
import ipaddress
import socket
import struct
from fnmatch import fnmatchcase
from pathlib import Path

_SIOCGIFADDR = 0x8915
_NET = Path("/sys/class/net")
_INET6 = Path("/proc/net/if_inet6")


def interface_of(address: str, *, net: Path = _NET) -> str | None:
    """The interface that has this local ``address``; None when none has (any more)."""
    try:
        ours = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(ours, ipaddress.IPv6Address):
        if ours.ipv4_mapped is None:
            return _by_inet6(ours)
        ours = ours.ipv4_mapped
    names = sorted(path.name for path in net.iterdir()) if net.is_dir() else []
    return next((name for name in names if _ipv4_of(name) == ours), None)


def is_metered(interface: str | None, patterns: tuple[str, ...]) -> bool:
    """Whether its volume costs, by the settings' patterns (``wwan*``)."""
    return interface is not None and any(fnmatchcase(interface, pattern) for pattern in patterns)


def _ipv4_of(name: str) -> ipaddress.IPv4Address | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        try:
            answer = fcntl.ioctl(asker, _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
        except OSError:
            return None
    return ipaddress.IPv4Address(answer[20:24])  # struct ifreq: the name's 16 bytes, then a sockaddr_in


def _by_inet6(ours: ipaddress.IPv6Address) -> str | None:
    try:
        rows = [line.split() for line in _INET6.read_text().splitlines()]
    except OSError:
        return None
    return next((row[5] for row in rows if len(row) == 6 and int(row[0], 16) == int(ours)), None)
