"""The JSON Schemas describe what really goes over the wire."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from sync import wire
from tests.sync.box.test_wire import ACKS, PAYLOADS

NAMES: dict[type, str] = {
    wire.StatusMessage: "status",
    wire.Hello: "hello",
    wire.Record: "record",
    wire.Init: "init",
    wire.HelloAck: "ack",
    wire.RecordsAck: "ack",
    wire.FileAck: "ack",
    wire.Desired: "desired",
    wire.Reported: "reported",
    wire.Command: "command",
    wire.Result: "result",
    wire.CertRequest: "csr",
    wire.CertAnswer: "cert",
}


def schema(name: str) -> Any:
    return json.loads(files("sync").joinpath(f"schemas/{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("payload", [*PAYLOADS, *ACKS], ids=lambda payload: type(payload).__name__)
def test_what_is_built_fits_its_schema(payload: wire.Payload) -> None:
    Draft202012Validator(schema(NAMES[type(payload)])).validate(json.loads(wire.build(payload)))


@pytest.mark.parametrize("name", sorted(set(NAMES.values())))
def test_a_schema_is_sound_and_refuses_nothing_at_all(name: str) -> None:
    Draft202012Validator.check_schema(schema(name))
    assert not Draft202012Validator(schema(name)).is_valid({})


def test_a_stored_acknowledgement_names_size_and_hash() -> None:
    ack = {"t": "f", "f": "01jd0000000000000000000000-0123456789abcdef", "state": "stored"}
    assert not Draft202012Validator(schema("ack")).is_valid(ack)
