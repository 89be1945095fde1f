"""A box that has only a claim asks for a certificate of its own, and waits until it has one."""

from __future__ import annotations

import queue
import threading
from typing import Any

import attrs
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from firmware.config_sync import SyncSettings, Transport
from firmware.errors import OffhookError
from sync import topics, wire
from sync.mqtt import CONNECT_S, tls_context

ANSWER_S = 30.0


class NoAnswerError(OffhookError):
    """Nobody answered the claim, or the broker does not accept it."""


def ask(
    settings: SyncSettings, *, dev: str, request: wire.CertRequest, stop: threading.Event, answer_s: float = ANSWER_S
) -> wire.CertAnswer:
    """One connection with the claim certificate, one request, one answer. Raises `NoAnswerError`, `CredentialsError`.

    3.1.1 is enough for it, and every broker knows that.
    """
    ours, theirs = topics.claim_topics(dev)
    found: queue.SimpleQueue[wire.CertAnswer | str] = queue.SimpleQueue()
    websocket = settings.transport is Transport.WEBSOCKET
    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id=dev,
        protocol=paho.MQTTv311,
        transport="websockets" if websocket else "tcp",
        reconnect_on_failure=False,
    )
    client.connect_timeout = CONNECT_S
    if websocket:
        client.ws_set_options(path=settings.websocket_path)
    if settings.transport is not Transport.PLAIN:
        claim = attrs.evolve(settings, cert_file=settings.claim_cert_file, key_file=settings.claim_key_file)
        client.tls_set_context(tls_context(claim))

    def connected(_client: Any, _data: Any, _flags: Any, code: Any, _properties: Any) -> None:
        if code.is_failure:
            found.put(f"{settings.host} does not accept the claim: {code}")
        else:
            client.subscribe(theirs, qos=1)

    def subscribed(*_: Any) -> None:
        client.publish(ours, wire.build(request), qos=1)

    def message(_client: Any, _data: Any, arrived: paho.MQTTMessage) -> None:
        try:
            answer = wire.parse(bytes(arrived.payload), wire.CertAnswer)
        except topics.WireError:
            return  # a stranger's bytes
        if answer.id == request.id:
            found.put(answer)

    client.on_connect = connected
    client.on_subscribe = subscribed
    client.on_message = message
    client.on_disconnect = lambda *_: found.put(f"{settings.host} closed the connection")
    try:
        client.connect(settings.host, settings.broker_port, 60)
    except (OSError, ValueError) as error:
        raise NoAnswerError(f"cannot reach {settings.host}:{settings.broker_port} with the claim: {error}") from error
    client.loop_start()
    try:
        return _first(found, stop, answer_s)
    finally:
        client.on_disconnect = None
        client.disconnect()
        client.loop_stop()


def _first(found: queue.SimpleQueue[wire.CertAnswer | str], stop: threading.Event, answer_s: float) -> wire.CertAnswer:
    for _ in range(round(answer_s / 0.25)):
        try:
            answer = found.get(timeout=0.25)
        except queue.Empty:
            if stop.is_set():
                break
            continue
        if isinstance(answer, str):
            raise NoAnswerError(answer)
        return answer
    raise NoAnswerError(f"nobody answered the claim within {answer_s:g} s")
