"""The receiver's connection to the MQTT broker: a new paho client for each, so that nothing of an old one lingers."""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from attrs import field, frozen
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from firmware.worker import Worker
from sync.receiver.core import Reply
from sync.receiver.engine import Delivery
from sync.topics import STATUS_FILTER, UP_FILTER, shared

log = logging.getLogger("offhook.receiver.broker")

_RECEIVE_MAXIMUM = 256
"""Messages that the broker may have on the way to us: with chunks of 128 KiB at most 32 MiB of memory."""
_LONGEST_BACKOFF_S = 10.0
_CONNECT_DEADLINE_S = 15.0
_USER_TIMEOUT_MS = 15_000
_UNSUPPORTED_VERSION = 0x84


@frozen(kw_only=True)
class BrokerSettings:
    """Where the broker is and who we are there."""

    host: str = "127.0.0.1"
    port: int = 1883
    client_id: str = "offhook-receiver"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    """With it the connection is encrypted; `cert_file` and `key_file` name us to the broker."""
    cert_file: Path | None = None
    key_file: Path | None = None
    group: str | None = None
    """Receivers with the same group share the messages; each needs a client id of its own."""
    keepalive_s: int = 20


class Broker:
    """Hands over every message on paho's thread, and acknowledges it to the broker when it is done."""

    def __init__(self, settings: BrokerSettings) -> None:
        self._settings = settings
        self._deliver: Callable[[Delivery], bool] = lambda _delivery: False
        self._worker = Worker("receiver-broker", self._run)
        self._client: mqtt.Client | None = None
        self._version = mqtt.MQTTv5
        self._closed_early = 0

    def start(self, *, deliver: Callable[[Delivery], bool]) -> None:
        """``deliver`` takes each message, or returns False when it has no room."""
        self._deliver = deliver
        self._worker.start()

    def stop(self) -> None:
        self._worker.stop(20.0)

    @property
    def alive(self) -> bool:
        return self._worker.alive

    @property
    def connected(self) -> bool:
        return self._client is not None

    def publish(self, replies: Sequence[Reply]) -> None:
        """Without a connection they are lost: boxes ask again."""
        client = self._client
        if client is not None:
            for reply in replies:
                client.publish(reply.topic, reply.payload, qos=reply.qos)

    def _run(self, stop: threading.Event) -> None:
        backoff_s = 0.2
        while not stop.is_set():
            if self._session(stop):
                backoff_s = 0.2
            stop.wait(backoff_s)
            backoff_s = min(_LONGEST_BACKOFF_S, backoff_s * 2)

    def _session(self, stop: threading.Event) -> bool:
        """One connection from start to end. True when the broker had accepted it."""
        over = threading.Event()
        accepted = threading.Event()
        client = self._new_client()

        def on_connect(_client: mqtt.Client, _data: Any, _flags: Any, code: Any, _properties: Any) -> None:
            if code.is_failure:
                log.error("the broker refuses us: %s", code)
                if code.value == _UNSUPPORTED_VERSION:
                    self._version = mqtt.MQTTv311
                over.set()
                return
            accepted.set()
            group = self._settings.group
            filters = [(shared(group, name) if group else name, 1) for name in (UP_FILTER, STATUS_FILTER)]
            client.subscribe(filters)

        def on_subscribe(_client: mqtt.Client, _data: Any, _mid: int, codes: list[Any], _properties: Any) -> None:
            if any(code.is_failure for code in codes):
                log.error("the broker refuses our subscriptions: %s", ", ".join(map(str, codes)))
                over.set()
                return
            log.info("connected to %s:%d", self._settings.host, self._settings.port)
            self._client = client

        def on_message(_client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
            mid, qos = message.mid, message.qos
            try:
                topic = message.topic
            except UnicodeDecodeError:
                client.ack(mid, qos)
                return
            if not self._deliver(Delivery(topic, bytes(message.payload), lambda: _ack(client, mid, qos))):
                log.warning("too much to do: a message on %s is left to be sent again", topic[:100])

        def on_disconnect(*_arguments: Any) -> None:
            over.set()

        client.on_connect = on_connect
        client.on_subscribe = on_subscribe
        client.on_message = on_message
        client.on_disconnect = on_disconnect
        client.on_socket_open = _tune
        try:
            client.connect(
                self._settings.host,
                self._settings.port,
                keepalive=self._settings.keepalive_s,
                clean_start=True if self._version == mqtt.MQTTv5 else mqtt.MQTT_CLEAN_START_FIRST_ONLY,
                properties=_connect_properties() if self._version == mqtt.MQTTv5 else None,
            )
        except (OSError, ssl.SSLError) as error:
            log.warning("cannot reach the broker at %s:%d: %s", self._settings.host, self._settings.port, error)
            return False
        client.loop_start()
        try:
            self._watch(stop, over=over, accepted=accepted)
        finally:
            self._client = None
            with contextlib.suppress(OSError, ValueError):
                client.disconnect()
            client.loop_stop()
        self._note_version(accepted.is_set())
        return accepted.is_set()

    def _watch(self, stop: threading.Event, *, over: threading.Event, accepted: threading.Event) -> None:
        waited_s = 0.0
        while not stop.is_set() and not over.wait(0.2):
            waited_s += 0.2
            if not accepted.is_set() and waited_s > _CONNECT_DEADLINE_S:
                log.warning("the broker did not answer within %g s", _CONNECT_DEADLINE_S)
                return
        if over.is_set() and accepted.is_set():
            log.warning("the connection to the broker was lost")

    def _note_version(self, accepted: bool) -> None:
        """A broker that knows only 3.1.1 may just hang up on a CONNECT of version 5."""
        self._closed_early = 0 if accepted else self._closed_early + 1
        if self._closed_early >= 2:
            self._closed_early = 0
            self._version = mqtt.MQTTv311 if self._version == mqtt.MQTTv5 else mqtt.MQTTv5

    def _new_client(self) -> mqtt.Client:
        settings = self._settings
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=settings.client_id,
            protocol=self._version,
            clean_session=None if self._version == mqtt.MQTTv5 else True,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.connect_timeout = _CONNECT_DEADLINE_S
        if settings.username is not None:
            client.username_pw_set(settings.username, settings.password)
        if settings.ca_file is not None:
            client.tls_set(
                ca_certs=str(settings.ca_file),
                certfile=str(settings.cert_file) if settings.cert_file else None,
                keyfile=str(settings.key_file) if settings.key_file else None,
            )
        return client


def _connect_properties() -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho has no types here
    properties.ReceiveMaximum = _RECEIVE_MAXIMUM
    return properties


def _ack(client: mqtt.Client, mid: int, qos: int) -> None:
    with contextlib.suppress(OSError, ValueError):  # its connection is gone: the broker forgets the message
        client.ack(mid, qos)


def _tune(_client: mqtt.Client, _data: Any, sock: Any) -> None:
    with contextlib.suppress(OSError, AttributeError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT_MS)
