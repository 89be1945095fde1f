"""What the box shows to the network, whom it lets in, and what two boxes from one image have in common: nothing."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conftest import BOOT_S, PROVE_S, Built
from emulator import Machine, MachineError, card, need, overlay
from page import Page
from test_8_ways import owner_of

_IDENTITY = (
    "cat /etc/machine-id /data/offhook/identity/device-id; cat /proc/sys/kernel/hostname;"
    " cd /data; sha256sum <offhook/identity/ed25519.pem; sha256sum <state/tls/ca.pem; sha256sum <state/tls/box.key;"
    " sha256sum <state/ssh/ssh_host_ed25519_key; blkid -s UUID -o value /dev/offhook/data"
)


def test_two_boxes_from_one_image_have_nothing_in_common(
    started: Path, fresh_card: Path, scratch: Path, consoles: Path, key: Path
) -> None:
    seen = []
    for name, base in (("first", started), ("second", fresh_card)):
        with Machine(overlay(base, scratch / f"{name}.qcow2"), consoles, key=key, name=f"identity-{name}") as box:
            box.wait_for_ssh(BOOT_S)
            box.wait_until("test -s /data/state/tls/box.key && test -s /data/offhook/identity/ed25519.pem", BOOT_S)
            seen.append(box.ssh(_IDENTITY).split("\n"))
    shared = {value for value in seen[0] if value} & {value for value in seen[1] if value}
    # The host name is the one that the card's file asks for.
    assert shared <= {"recorder"}


BOX_MAC = "52:54:00:0f:f0:01"
BOX, SCANNER = "10.213.77.2", "10.213.77.1"
_SCANNED = f"""
printf '[Match]\\nMACAddress={BOX_MAC}\\n[Network]\\nAddress={BOX}/24\\nLinkLocalAddressing=ipv6\\n' \
    >/run/systemd/network/10-scanned.network && networkctl reload
"""
DEFAULTS = (("admin", "admin"), ("root", "root"), ("pi", "raspberry"), ("offhook", "offhook"), ("admin", ""))


@contextmanager
def wire() -> Iterator[str]:
    """A network between this machine and the box, with nothing in between that would answer for it."""
    name = f"offhook{os.getpid() % 10000}"
    for words in (f"tuntap add dev {name} mode tap", f"addr add {SCANNER}/24 dev {name}", f"link set {name} up"):
        made = subprocess.run(["ip", *words.split()], capture_output=True, text=True, check=False)
        if made.returncode != 0:
            raise MachineError(f"ip {words}: {made.stderr.strip()} (a scan needs root and /dev/net/tun)")
    try:
        yield name
    finally:
        subprocess.run(["ip", "link", "del", name], capture_output=True, check=False)


def open_ports(*options: str) -> set[str]:
    """``tcp/443`` and the like: what nmap is sure about."""
    need("nmap")
    done = subprocess.run(["nmap", "-n", "-Pn", *options, BOX], capture_output=True, text=True, check=True)
    return {f"{kind}/{port}" for port, kind in re.findall(r"^(\d+)/(tcp|udp)\s+open\s", done.stdout, re.MULTILINE)}


def test_only_the_documented_ports_are_open_and_nobody_has_a_password(
    disk: Path, scratch: Path, consoles: Path, key: Path
) -> None:
    with wire() as tap:
        more = ["-netdev", f"tap,id=wire,ifname={tap},script=no,downscript=no"]
        more += ["-device", f"virtio-net-pci,netdev=wire,mac={BOX_MAC},romfile="]
        with Machine(disk, consoles, key=key, name="network", more=more) as box:
            box.wait_for_ssh(BOOT_S)
            box.wait_until("systemctl is-active offhook-prove.service", PROVE_S)
            box.ssh(_SCANNED)
            box.wait_until(f"ip -4 addr show | grep -q {BOX}/", 120)
            every_port = ("-sS", "-p-", "--min-rate", "1500", "--max-retries", "2")
            assert open_ports(*every_port) == {"tcp/22", "tcp/80", "tcp/443"}
            assert open_ports("-sU", "--top-ports", "60", "--min-rate", "50") <= {"udp/5353"}
            assert "policy drop" in box.ssh("nft list ruleset")
            nobody_gets_in(box, scratch)


def nobody_gets_in(box: Machine, scratch: Path) -> None:
    """No account has a password, ssh offers nothing but keys, and nothing that people try opens the page."""
    shadow = box.ssh("cat /etc/shadow")
    assert all(re.match(r"[^:]+:[!*]", line) for line in shadow.splitlines() if line)
    options = ["-oPreferredAuthentications=none", "-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null"]
    for user in ("root", "pi", "offhook"):
        asked = subprocess.run(
            ["ssh", "-v", "-p", str(box.ssh_port), *options, f"{user}@127.0.0.1", "true"],
            capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        assert asked.returncode != 0
        assert re.findall(r"Authentications that can continue: (\S+)", asked.stderr) == ["publickey"]
    visitor = Page(box, scratch)
    # Before there is an account nothing but the first-run code helps; with one, only its own password.
    assert "First-run code" in visitor.get("/login")
    owner_of(box, scratch)
    for name, password in DEFAULTS:
        assert visitor.post("/login", form_on="/login", name=name, password=password) == 422, (name, password)


def test_ssh_is_off_without_a_key(built: Built, scratch: Path, consoles: Path) -> None:
    disk = overlay(card(built.image, scratch / "plain.img"), scratch / "plain.qcow2")
    with Machine(disk, consoles, name="plain") as box:
        box.wait(r"offhook: booting slot A", 120)
        box.wait_for_page(BOOT_S)
        banner = subprocess.run(
            ["nmap", "-Pn", "-sV", "--version-light", "-p", str(box.ssh_port), "127.0.0.1"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert "OpenSSH" not in banner.stdout
