"""Ways to the broker, and how the box sees that one is dead, costs money or tells the time."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from firmware.config_sync import SentAudio
from firmware.model import Instant
from sync.clock import ClockWatch
from sync.interface import interface_of, is_metered
from sync.outbox import Outbox
from sync.pacing import Pacing, Schedule
from sync.volume import Volume
from tests.sync.box.box import BOX, Box, Receiver, eventually
from tests.sync.box.certificates import Authority
from tests.sync.box.cloud import Cloud
from tests.sync.faults.link import Link
from tests.sync.faults.mosquitto import Mosquitto, free_port

NO_AUDIO = 'audio = "none"\n'


class AlpnDoor:
    """What stands on 443 in front of a broker: it ends TLS, wants a protocol by ALPN, and passes the rest on."""

    def __init__(self, behind: int, authority: Authority, *, protocol: str) -> None:
        certificate, key = authority.issue("door")
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._context.set_alpn_protocols([protocol])
        self._protocol = protocol
        self._behind = behind
        self.seen: list[str | None] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, raw: socket.socket) -> None:
        with contextlib.suppress(OSError), self._context.wrap_socket(raw, server_side=True) as client:
            self.seen.append(client.selected_alpn_protocol())
            if client.selected_alpn_protocol() != self._protocol:
                return
            with socket.create_connection(("127.0.0.1", self._behind)) as broker:
                threading.Thread(target=_copy, args=(broker, client), daemon=True).start()
                _copy(client, broker)


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")


@pytest.mark.parametrize("protocol", ["mqtt", "x-amzn-mqtt-ca"])
def test_443_with_alpn_reaches_a_real_broker(
    box: Box, broker: Mosquitto, receiver: Receiver, authority: Authority, protocol: str
) -> None:
    door = AlpnDoor(broker.port, authority, protocol=protocol)
    box.calls(1)
    box.configure(door.port, f'ca_file = "{authority.file}"\nalpn = "{protocol}"\n', transport="tls-443")
    box.start()
    eventually(lambda: box.waits() == 0, 30, what="everything stored")
    assert set(door.seen) == {protocol}
    door.close()


def test_a_secure_websocket_reaches_a_real_broker(
    box: Box, tmp_path: Path, broker: Mosquitto, receiver: Receiver, authority: Authority
) -> None:
    certificate, key = authority.issue("websocket")
    port = free_port()
    broker.stop()
    broker.write_conf(f"listener {port} 127.0.0.1\nprotocol websockets\ncertfile {certificate}\nkeyfile {key}\n")
    broker.start()
    box.calls(1, size=300_000)
    box.configure(port, f'ca_file = "{authority.file}"\n', transport="websocket")
    box.start()
    eventually(lambda: box.waits() == 0, 40, what="everything stored")
    assert len(receiver.stored()) == 1
    assert box.status()["mqtt"] == "5"


@pytest.fixture
def cloud(broker: Mosquitto) -> Iterator[Cloud]:
    cloud = Cloud(broker.port)
    yield cloud
    cloud.close()


def test_a_box_that_comes_back_in_time_was_never_lost_and_one_that_does_not_is(
    box: Box, broker: Mosquitto, cloud: Cloud
) -> None:
    box.configure(broker.port, NO_AUDIO + "will_delay_s = 12\n")
    for _ in range(2):
        box.start()
        eventually(lambda: box.status()["phase"] == "ready", 60, what="ready")
        box.kill()
        (box.run_dir / "sync" / "status.json").unlink()
    box.start()
    eventually(lambda: cloud.states.count("ready") >= 3, 60, what="back for the second time")
    assert "lost" not in cloud.states
    box.kill()
    killed_s = time.monotonic()
    eventually(lambda: cloud.states[-1] == "lost", 60, what="lost")
    assert time.monotonic() - killed_s > 8
    box.start()
    eventually(lambda: cloud.states[-1] == "ready", 60, what="ready")
    box.stop()
    eventually(lambda: cloud.states[-1] == "disconnected", what="a goodbye is not a loss")


def test_a_half_open_link_is_noticed_and_replaced(box: Box, broker: Mosquitto, receiver: Receiver) -> None:
    link = Link(broker.port)
    try:
        box.configure(link.port)
        box.start()
        eventually(lambda: box.status()["phase"] == "ready", 30, what="ready")
        link.silent = True
        box.calls(1)
        began_s = time.monotonic()
        eventually(lambda: "stopped answering" in (box.status().get("last_error") or ""), 30, what="noticed")
        assert time.monotonic() - began_s < 25
        link.silent = False
        eventually(lambda: box.waits() == 0, 30, what="everything stored")
    finally:
        link.close()


def test_the_kernel_gives_a_silent_link_up(tmp_path: Path, broker: Mosquitto) -> None:
    """TCP_USER_TIMEOUT is on the socket that is really used, over a WebSocket too."""
    from firmware.config_sync import SyncSettings, Transport  # noqa: PLC0415
    from sync.mqtt import UNACKNOWLEDGED_S, Connection  # noqa: PLC0415

    settings = SyncSettings(host="127.0.0.1", port=broker.port, transport=Transport.PLAIN)
    import queue  # noqa: PLC0415

    inbox: queue.SimpleQueue[object] = queue.SimpleQueue()
    connection = Connection(settings, dev=BOX, will=b"{}", v5=True, number=1, filters=(), inbox=inbox)  # type: ignore[arg-type]
    connection.open()
    try:
        inbox.get(timeout=10)
        sock = connection._client.socket()
        assert sock is not None
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == UNACKNOWLEDGED_S * 1000
        assert connection.local_address == "127.0.0.1"
    finally:
        connection.close()


# Volume and metered networks --------------------------------------------------------------------------------------


def test_over_a_metered_network_records_go_and_recordings_wait(box: Box, broker: Mosquitto, receiver: Receiver) -> None:
    box.calls(1)
    box.configure(broker.port, 'metered_interfaces = ["lo*"]\n')
    box.start()
    eventually(lambda: box.waits() == 1, 30, what="records stored")
    eventually(lambda: box.status()["audio_waits_for"] == "metered", what="the reason told")
    assert box.status()["interface"] == "lo"
    assert receiver.stored() == []
    receiver.run("command", BOX, "sync.now")
    eventually(lambda: box.waits() == 0, 30, what="somebody asked for everything")


def test_the_volume_of_a_day_ends_recordings_and_outlives_the_process(
    box: Box, broker: Mosquitto, receiver: Receiver
) -> None:
    box.calls(4, size=700_000)
    box.configure(broker.port, "day_mb = 1\nlimit_kbps = 4000\n")
    box.start()
    eventually(lambda: box.status().get("audio_waits_for") == "volume", 40, what="the volume spent")
    stored = len(receiver.stored())
    assert 1 <= stored <= 3
    assert box.status()["today_bytes"] >= 1_000_000
    box.stop()
    (row,) = box.rows("SELECT bytes FROM sync_volume")
    assert 1_000_000 <= row["bytes"] < 2_500_000
    box.start()
    eventually(lambda: box.status().get("audio_waits_for") == "volume", 30, what="still spent")
    assert len(receiver.stored()) == stored
    box.calls(1)
    eventually(lambda: box.rows("SELECT count(*) AS n FROM outbox_event WHERE state = 'pending'")[0]["n"] == 0, 20)


def test_days_and_months_are_those_of_the_box(box: Box) -> None:
    from firmware.clock import SystemClock  # noqa: PLC0415

    outbox = Outbox(box.data, SystemClock())
    zone = ZoneInfo("Asia/Shanghai")

    def ms(text: str) -> int:
        return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)

    volume = Volume(outbox, zone, day_mb=1, month_mb=2)
    volume.sent(900_000)
    assert not volume.used_up(ms("2026-11-30T10:00"))
    volume.sent(200_000)
    assert volume.used_up(ms("2026-11-30T10:00"))
    outbox.write(volume.marks(ms("2026-11-30T15:59")))
    assert not volume.used_up(ms("2026-11-30T16:01")), "midnight in Shanghai, and another month"
    again = Volume(outbox, zone, day_mb=0, month_mb=1)
    assert again.used_up(ms("2026-11-30T15:59")), "the month's 1.1 MB"
    assert not again.used_up(ms("2026-12-01T00:00"))
    outbox.close()


def test_why_recordings_wait_has_an_order() -> None:
    pacing = Pacing(Schedule(((0, 60),)))
    pacing.metered = pacing.volume_used_up = True
    assert pacing.closed_because(0, 100) == "schedule"
    assert pacing.closed_because(0, 30) == "metered"
    pacing.metered = False
    assert pacing.closed_because(0, 30) == "volume"
    pacing.hurry = True
    assert pacing.closed_because(0, 100) is None
    pacing.paused_until_s = 9
    assert pacing.closed_because(0, 30) == "paused"


def test_an_interface_is_found_by_its_address(tmp_path: Path) -> None:
    assert interface_of("127.0.0.1") == "lo"
    assert interface_of("::ffff:127.0.0.1") == "lo"
    assert interface_of("192.0.2.77") is None
    assert interface_of("") is None
    assert interface_of("127.0.0.1", net=tmp_path / "none") is None
    assert is_metered("wwan0", ("wwan*", "ppp*"))
    assert not is_metered("eth0", ("wwan*", "ppp*"))
    assert not is_metered(None, ("*",))


@pytest.mark.skipif(shutil.which("ip") is None, reason="ip (iproute2) is not installed")
def test_an_interface_of_ipv6_is_found() -> None:
    shown = subprocess.run(["ip", "-6", "addr", "show", "lo"], capture_output=True, text=True, check=False).stdout
    if "::1/128" not in shown:
        pytest.skip("no IPv6 here")
    assert interface_of("::1") == "lo"


# Which recordings go ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("audio", "suffixes"),
    [("flac", [".flac"]), ("opus", [".opus"]), ("both", [".opus", ".flac"]), ("none", [])],
)
def test_flac_opus_or_opus_first(box: Box, audio: str, suffixes: list[str]) -> None:
    from firmware.clock import SystemClock  # noqa: PLC0415
    from firmware.config_sync import AudioOrder  # noqa: PLC0415

    box.calls(2)
    outbox = Outbox(box.data, SystemClock())
    chosen = outbox.files(10, urgent=False, audio=SentAudio(audio), order=AudioOrder.OLDEST)
    assert [file.path.suffix for file in chosen] == [suffix for suffix in suffixes for _ in range(2)]
    assert outbox.waiting(SentAudio(audio)).files == 2 * len(suffixes)
    assert all(file.path.suffix in (".flac", ".opus") for file in chosen)
    outbox.close()


def test_opus_alone_arrives_in_the_cloud(box: Box, broker: Mosquitto, receiver: Receiver) -> None:
    box.calls(2)
    box.configure(broker.port, 'audio = "opus"\n')
    box.start()
    waiting = "SELECT count(*) AS n FROM outbox_file WHERE state <> 'stored' AND path LIKE '%.opus'"
    eventually(lambda: box.rows(waiting)[0]["n"] == 0, 30, what="everything stored")
    assert receiver.stored() == sorted(path.read_bytes() for path in (box.data / "recordings").rglob("*.opus"))
    assert list((box.data / "recordings").rglob("*.flac")), "the master stays here"


# The clock --------------------------------------------------------------------------------------------------------


def at(utc_ms: int) -> Instant:
    return Instant(utc_ns=utc_ms * 1_000_000, boot_ns=5)


def test_a_wrong_clock_is_set_by_the_cloud_once_and_only_over_tls(tmp_path: Path) -> None:
    wish = tmp_path / "wishes" / "network-time"
    nobody = tmp_path / "recorder.sock"
    plain = ClockWatch(wish, nobody, trusted=False)
    plain.told(1_800_000_000_000, at(1_000), synchronized=False)
    assert not wish.exists()
    watch = ClockWatch(wish, nobody, trusted=True)
    watch.told(1_800_000_000_000, at(1_000), synchronized=True)
    assert not wish.exists(), "NTP knows better"
    watch.told(1_800_000_000_500, at(1_000), synchronized=False)
    assert wish.read_text() == "1800000000 cloud\n"
    wish.unlink()
    watch.told(1_800_000_000_500, at(2_000), synchronized=False)
    assert not wish.exists(), "asked once"


def test_a_wish_to_set_the_clock_is_one_that_the_helper_understands(tmp_path: Path) -> None:
    from firmware.root_wishes import set_clock  # noqa: PLC0415

    wish = tmp_path / "network-time"
    ClockWatch(wish, tmp_path / "none", trusted=True).told(1_800_000_000_500, at(1_000), synchronized=False)
    asked: list[float] = []
    set_clock(wish, ntp_synced=tmp_path / "no-ntp", set_time=lambda _clock, seconds: asked.append(seconds))
    assert round(asked[0]) == 1_800_000_000
