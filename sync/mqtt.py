"""One connection to the broker through paho: made, used, closed and thrown away. What happens goes into an inbox.

A new client object for each connection on purpose: paho sends whatever it still holds again on its own, for ever, also
a message that the broker closes the connection for, and ignores the broker's limits. Our outbox is the only queue.
"""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import ssl
import struct
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from firmware.config_sync import SyncSettings, Transport
from firmware.errors import OffhookError
from firmware.worker import Worker
from sync import topics

CONNECT_S = 15.0
UNACKNOWLEDGED_S = 30
"""TCP_USER_TIMEOUT: data that the other side does not acknowledge for so long means a dead link. Keep-alive alone takes
almost twice its period."""
_TCP_INFO = struct.Struct("=16xI4x4I104xI")
"""linux/tcp.h, struct tcp_info: snd_mss, unacked, sacked, lost, retrans, notsent_bytes."""

UNSUPPORTED_VERSION = 0x84
TAKEN_OVER = 0x8E
_REFUSED = frozenset({0x85, 0x86, 0x87, 0x8A, 0x8C})
"""CONNACK: client id, user or password, not authorized, banned, bad authentication method (MQTT 5.0, 3.2.2.2)."""


class Loss(Enum):
    """Why there is no connection (any more)."""

    LINK = auto()
    REFUSED = auto()
    """The broker does not accept who we are, or we do not accept the broker."""
    PROTOCOL = auto()
    """Closed before CONNACK, or said so: the broker may know only MQTT 3.1.1."""
    TAKEN_OVER = auto()
    """Another client with our id."""


@dataclass(frozen=True, slots=True)
class Opened:
    connection: int
    max_packet: int | None
    receive_max: int | None


@dataclass(frozen=True, slots=True)
class Closed:
    connection: int
    loss: Loss
    why: str


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """PUBACK."""

    connection: int
    mid: int
    rc: int


@dataclass(frozen=True, slots=True)
class Arrived:
    connection: int
    topic: str
    payload: bytes


Happening = Opened | Closed | Acknowledged | Arrived


class CredentialsError(OffhookError):
    """A certificate, a key or a password of the settings cannot be used."""


class Connection:
    """`open` returns at once; `Opened` or `Closed` comes into the inbox. Every happening carries ``number``."""

    def __init__(
        self,
        settings: SyncSettings,
        *,
        dev: str,
        will: bytes,
        v5: bool,
        number: int,
        filters: tuple[str, ...],
        inbox: queue.SimpleQueue[Happening],
    ) -> None:
        """Raises `CredentialsError` when a file of the settings cannot be used."""
        self.number = number
        self.v5 = v5
        self._settings = settings
        self._dev = dev
        self._filters = (topics.down_filter(dev), *filters)
        self.local_address = ""
        """The address of this machine that the connection goes out by; empty before there is one."""
        self._inbox = inbox
        self._told_end = False
        self._got_connack = False
        self._limits: tuple[int | None, int | None] = (None, None)
        self._given = self._flushed = 0
        self._client = self._make_client(will)
        self._opener = Worker(f"mqtt-open-{number}", lambda _stop: self._connect())

    def open(self) -> None:
        self._opener.start()

    def publish(self, topic: str, payload: bytes, *, content_type: str | None = None, retain: bool = False) -> int:
        """Returns the message's id; its PUBACK comes as `Acknowledged`."""
        properties = None
        if self.v5 and content_type:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.ContentType = content_type
        self._given += len(topic) + len(payload)
        return self._client.publish(topic, payload, qos=1, retain=retain, properties=properties).mid

    def pipe(self) -> int | None:
        """Bytes of what was published that have not arrived at the broker's TCP; None where the kernel does not say."""
        connected = self._client.socket()
        if connected is None:
            return None
        try:
            with _kernel_socket(connected) as same:
                told = same.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
            mss, unacked, sacked, lost, again, unsent = map(int, _TCP_INFO.unpack(told))
        except (OSError, ValueError, struct.error):
            return None
        if not self._client.want_write():
            self._flushed = self._given
        held_back = self._given - self._flushed  # by paho; or more
        return unsent + max(0, unacked - sacked - lost + again) * mss + held_back

    def close(self, *, wait_s: float = 2.0) -> None:
        """Ends the connection; nothing comes from it into the inbox any more."""
        self._told_end = True
        with contextlib.suppress(OSError, ValueError):
            self._client.disconnect()
        self._client.loop_stop()
        # A connect that hangs in the network ends by its own time-out, on its own thread.
        self._opener.request_stop()
        with contextlib.suppress(OffhookError):
            self._opener.join(wait_s)

    def _make_client(self, will: bytes) -> paho.Client:
        settings = self._settings
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._dev,
            protocol=paho.MQTTv5 if self.v5 else paho.MQTTv311,
            clean_session=None if self.v5 else True,
            transport="websockets" if settings.transport is Transport.WEBSOCKET else "tcp",
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_S
        client.max_inflight_messages_set(1000)  # the machine keeps the window; paho must not queue behind its back
        if settings.transport is Transport.WEBSOCKET:
            client.ws_set_options(path=settings.websocket_path)
        if settings.transport is not Transport.PLAIN:
            client.tls_set_context(tls_context(settings))
        if settings.user:
            client.username_pw_set(settings.user, _password(settings))
        will_properties = None
        if self.v5:
            will_properties = Properties(PacketTypes.WILLMESSAGE)  # type: ignore[no-untyped-call]
            will_properties.WillDelayInterval = settings.will_delay_s
        client.will_set(topics.build(topics.Status(self._dev)), will, qos=1, retain=True, properties=will_properties)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.on_socket_open = self._on_socket_open
        return client

    def _connect(self) -> None:
        settings = self._settings
        start: dict[str, Any] = {"clean_start": True} if self.v5 else {}
        try:
            self._client.connect(settings.host, settings.broker_port, settings.keepalive_s, **start)
        except ssl.SSLCertVerificationError as error:
            self._end(Loss.REFUSED, f"the certificate of {settings.host} is not good: {error.verify_message}")
        except ssl.SSLError as error:
            self._end(Loss.REFUSED, f"no TLS with {settings.host}:{settings.broker_port}: {error.reason or error}")
        except (OSError, ValueError) as error:
            self._end(Loss.LINK, f"cannot reach {settings.host}:{settings.broker_port}: {error}")
        else:
            if not self._told_end:
                self._client.loop_start()

    def _on_connect(self, client: paho.Client, _data: Any, _flags: Any, code: ReasonCode, properties: Any) -> None:
        self._got_connack = True
        if code.is_failure:
            # MQTT 3.1.1 codes come translated to those of 5.
            version = code.value == UNSUPPORTED_VERSION
            kind = Loss.PROTOCOL if version else Loss.REFUSED if code.value in _REFUSED else Loss.LINK
            self._end(kind, f"{self._settings.host} refuses the connection: {code}")
            return
        self._limits = (getattr(properties, "MaximumPacketSize", None), getattr(properties, "ReceiveMaximum", None))
        client.subscribe([(each, 1) for each in self._filters])

    def _on_subscribe(self, _client: Any, _data: Any, _mid: int, codes: list[ReasonCode], _properties: Any) -> None:
        if any(code.is_failure for code in codes):
            self._end(Loss.REFUSED, f"{self._settings.host} refuses the subscription: {codes[0]}")
        else:
            self._inbox.put(Opened(self.number, *self._limits))

    def _on_disconnect(self, _client: Any, _data: Any, flags: Any, code: ReasonCode, _properties: Any) -> None:
        if code.value == TAKEN_OVER and flags.is_disconnect_packet_from_server:
            self._end(Loss.TAKEN_OVER, "another client with the same id took the connection over")
        elif not self._got_connack:
            self._end(Loss.PROTOCOL, f"{self._settings.host} closed the connection without an answer")
        else:
            self._end(Loss.LINK, f"the connection was lost: {code}")

    def _on_publish(self, _client: Any, _data: Any, mid: int, code: ReasonCode, _properties: Any) -> None:
        self._inbox.put(Acknowledged(self.number, mid, code.value if code else 0))

    def _on_message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        self._inbox.put(Arrived(self.number, message.topic, bytes(message.payload)))

    def _on_socket_open(self, _client: Any, _data: Any, connected: Any) -> None:
        with contextlib.suppress(OSError), _kernel_socket(connected) as same:
            same.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_S * 1000)
            same.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.local_address = str(same.getsockname()[0])

    def _end(self, loss: Loss, why: str) -> None:
        if not self._told_end:
            self._told_end = True
            self._inbox.put(Closed(self.number, loss, why))


def _kernel_socket(connected: Any) -> socket.socket:
    """To be closed at once. A WebSocket is wrapped and has no options; by its number the kernel's is the same."""
    return socket.socket(fileno=os.dup(connected.fileno()))


def tls_context(settings: SyncSettings) -> ssl.SSLContext:
    """Raises `CredentialsError` when a file cannot be used."""
    try:
        context = ssl.create_default_context(cafile=settings.ca_file or None)
        if settings.cert_file:
            context.load_cert_chain(settings.cert_file, settings.key_file)
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(filter(None, (settings.ca_file, settings.cert_file, settings.key_file)))
        raise CredentialsError(
            f"cannot use {files}: {error}; they must be PEM and readable for offhook-sync"
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.transport is Transport.TLS_443:
        context.set_alpn_protocols([settings.alpn])
    return context


def _password(settings: SyncSettings) -> str | None:
    if not settings.password_file:
        return None
    try:
        return Path(settings.password_file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialsError(f"cannot read {settings.password_file}: {error}; sync.password_file names it") from error
