"""What the box shows to the network, whom it lets in, and what two boxes from one image have in common: nothing."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from conftest import BOOT_S, PROVE_S
from emulator import Machine, need, overlay

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


def test_only_the_documented_ports_are_open_and_nobody_has_a_password(disk: Path, consoles: Path, key: Path) -> None:
    need("nmap")
    with Machine(disk, consoles, key=key, name="network") as box:
        box.wait_for_ssh(BOOT_S)
        box.wait_until("systemctl is-active offhook-prove.service", PROVE_S)
        # From the network: QEMU forwards these three, and a scan through them shows what answers.
        ports = f"{box.https},{box.http},{box.ssh_port}"
        scan = subprocess.run(
            ["nmap", "-Pn", "-sT", "-p", ports, "127.0.0.1"], capture_output=True, text=True, check=True
        )
        assert scan.stdout.count("open") == 3
        # From inside: every socket that listens, against what the firewall lets in.
        listening = box.ssh("ss -Hltun | awk '{print $1, $5}'")
        outside = {
            (line.split()[0], line.rsplit(":", 1)[1])
            for line in listening.splitlines()
            if not re.search(r" (127\.|\[::1\]|\[::ffff:127)", line) and "%lo" not in line
        }
        rules = box.ssh("nft list ruleset")
        allowed = {("tcp", port) for port in ("80", "443", "22")} | {("udp", "5353"), ("udp", "68"), ("udp", "546")}
        assert "policy drop" in rules
        reachable = {(kind, port) for kind, port in outside if (kind, port) in allowed}
        assert {("tcp", "443"), ("tcp", "80"), ("tcp", "22")} <= reachable
        # Every account is locked, and no password opens anything.
        shadow = box.ssh("cat /etc/shadow")
        assert all(re.match(r"[^:]+:[!*]", line) for line in shadow.splitlines() if line)
        assert box.ssh("sshd -T 2>/dev/null | grep -i '^passwordauthentication'").strip() == "passwordauthentication no"
        for user, password in (("root", "root"), ("pi", "raspberry"), ("admin", "admin"), ("offhook", "offhook")):
            no_key = "PreferredAuthentications=none,password,keyboard-interactive"
            options = [f"-o{option}" for option in (no_key, "NumberOfPasswordPrompts=0", "StrictHostKeyChecking=no")]
            command = ["ssh", "-q", "-p", str(box.ssh_port), *options, "-oUserKnownHostsFile=/dev/null"]
            tried = subprocess.run(
                [*command, f"{user}@127.0.0.1", "true"], input=password, text=True, check=False, timeout=120
            )
            assert tried.returncode != 0


def test_ssh_is_off_without_a_key(built: object, scratch: Path, consoles: Path) -> None:
    from conftest import Built  # noqa: PLC0415
    from emulator import card  # noqa: PLC0415

    assert isinstance(built, Built)
    disk = overlay(card(built.image, scratch / "plain.img"), scratch / "plain.qcow2")
    with Machine(disk, consoles, name="plain") as box:
        box.wait(r"offhook: booting slot A", 120)
        answers = f"curl -ks --max-time 30 -o /dev/null https://127.0.0.1:{box.https}/"
        end = BOOT_S
        while end > 0 and subprocess.run(answers, shell=True, check=False).returncode != 0:
            end -= 30
        assert end > 0, box.console()[-1000:]
        banner = subprocess.run(
            ["nmap", "-Pn", "-sV", "--version-light", "-p", str(box.ssh_port), "127.0.0.1"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert "OpenSSH" not in banner.stdout
