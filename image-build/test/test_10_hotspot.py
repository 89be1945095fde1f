"""A box without a network opens a Wi-Fi for its set-up; a guest on it gets an address and reaches the page.

The radios are the kernel's own (mac80211_hwsim): one is the box's, the other the guest's, in a network of its own.
"""

from __future__ import annotations

from pathlib import Path

from conftest import BOOT_S, PROVE_S
from emulator import Machine

_GUEST = """
set -e
ip netns add guest
iw phy $(basename $(readlink -f /sys/class/net/wlan1/phy80211)) set netns name guest
umask 077
name=Offhook-$(cut -c1-6 /data/state/machine-id)
printf 'network={\\n ssid="%s"\\n psk="%s"\\n}\\n' "$name" "$(cat /data/state/hotspot-password)" >/run/guest.conf
ip netns exec guest ip link set wlan1 up
ip netns exec guest wpa_supplicant -B -i wlan1 -c /run/guest.conf
"""
_LEASE = "ip netns exec guest busybox udhcpc -n -q -i wlan1 -s /bin/true 2>&1 | grep -o 'lease of 10.11.0.[0-9]*'"
_ADDRESS = "ip netns exec guest ip addr add {address}/24 dev wlan1"
_PAGE = (
    "printf 'GET /login HTTP/1.1\\r\\nHost: 10.11.0.1\\r\\nConnection: close\\r\\n\\r\\n' |"
    " ip netns exec guest openssl s_client -quiet -connect 10.11.0.1:443 2>/dev/null | head -1"
)


def test_a_guest_of_the_hotspot_reaches_the_page(disk: Path, consoles: Path, key: Path) -> None:
    with Machine(disk, consoles, key=key, name="hotspot", network="user,restrict=on") as box:
        box.wait_for_ssh(BOOT_S)
        box.wait_until("systemctl is-active offhook-prove.service", PROVE_S)
        assert box.ssh("ip -4 route show default").strip() == ""
        box.ssh("modprobe mac80211_hwsim radios=2")
        shown = box.wait_until("cat /run/offhook-box/hotspot", 600)
        assert box.ssh("cat /data/state/hotspot-password").strip() in shown
        box.ssh(_GUEST)
        address = box.wait_until(_LEASE, 300).split()[-1]
        box.ssh(_ADDRESS.format(address=address))
        answer = box.wait_until(_PAGE, 300)
        assert answer.split()[1] in ("200", "302"), answer
        # The name that stands on the screen is known there, too.
        asked = "ip netns exec guest busybox nslookup offhook.local 10.11.0.1"
        assert "10.11.0.1" in box.wait_until(asked, 120).split("offhook.local")[-1]
