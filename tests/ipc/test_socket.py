"""Client and server over a real socket: answers, refusals, subscribers, and clients that misbehave."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import socket
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware.errors import AlreadyRunningError, ConfigError, ConflictError, RequestError
from firmware.ipc.client import RecorderClient, RecorderUnreachableError
from firmware.ipc.dispatcher import Dispatcher
from firmware.ipc.server import MAX_CLIENTS, IpcServer


class Box:
    """A recorder as the socket sees it: a counter as state, a few commands."""

    def __init__(self, path: Path, queue_events: int = 256) -> None:
        self.seq = 0
        self.path = path
        self.padding = ""
        commands = Dispatcher()
        commands.add("hello", lambda: {"version": "1"})
        commands.add("line.dial", self._dial, required={"line": str, "number": str})
        commands.add("config.apply", self._apply, required={"base_version": int, "document": str, "by": str})
        commands.add("break", self._break)
        commands.add("huge", lambda: {"x": "x" * (2 << 20)})
        commands.add("slow", self._slow)
        self.server = IpcServer(path, commands, self.state, queue_events=queue_events)
        self.server.start()

    def state(self) -> dict[str, Any]:
        return {"event": "state", "seq": self.seq, "lines": []}

    def change(self) -> None:
        self.seq += 1
        self.server.publish({"event": "line", "seq": self.seq, "line": {"id": "fxo-1"}, "padding": self.padding})

    def _dial(self, line: str, number: str) -> dict[str, Any]:
        if line != "fxo-1":
            raise RequestError("no_such_line", f"there is no line {line}")
        return {}

    def _apply(self, base_version: int, document: str, by: str) -> dict[str, Any]:
        if base_version != 1:
            raise ConflictError("version 1 is in force")
        raise ConfigError([f"{document}: wrong", "and another"])

    def _break(self) -> dict[str, Any]:
        raise ZeroDivisionError("a bug")

    def _slow(self) -> dict[str, Any]:
        time.sleep(0.6)
        return {}


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    box = Box(tmp_path / "recorder.sock")
    yield box
    box.server.stop()


def raw(box: Box) -> socket.socket:
    connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connected.settimeout(5)
    connected.connect(str(box.path))
    return connected


def read_lines(connected: socket.socket, count: int) -> list[dict[str, Any]]:
    with connected.makefile("rb") as file:
        return [json.loads(file.readline()) for _ in range(count)]


def test_each_request_gets_its_answer(box: Box) -> None:
    with RecorderClient(box.path) as client:
        assert client.request("hello") == {"version": "1"}
        assert client.request("line.dial", line="fxo-1", number="10086") == {}


@pytest.mark.parametrize(
    ("command", "args", "code", "says"),
    [
        ("line.dial", {"line": "fxo-9", "number": "1"}, "no_such_line", "fxo-9"),
        ("line.dail", {}, "unknown_command", "did you mean 'line.dial'"),
        ("line.dial", {"line": "fxo-1"}, "bad_request", "'number' is missing"),
        ("line.dial", {"line": "fxo-1", "nummer": "1", "number": "1"}, "bad_request", "did you mean 'number'"),
        ("line.dial", {"line": 1, "number": "1"}, "bad_request", "'line' must be a string, not 1"),
        ("config.apply", {"base_version": True, "document": "", "by": ""}, "bad_request", "must be a whole number"),
        ("config.apply", {"base_version": 0, "document": "", "by": ""}, "conflict", "version 1 is in force"),
        ("config.apply", {"base_version": 1, "document": "a", "by": ""}, "invalid", "a: wrong\nand another"),
        ("break", {}, "internal", "offhook-recorder"),
        ("huge", {}, "internal", "does not fit"),
        ("subscribe", {"level": True}, "bad_request", "levels"),
    ],
)
def test_a_refusal_says_why_and_the_connection_stays(
    box: Box, command: str, args: dict[str, Any], code: str, says: str
) -> None:
    with RecorderClient(box.path) as client:
        with pytest.raises(RequestError) as refused:
            client.request(command, **args)
        assert refused.value.code == code
        assert says in str(refused.value)
        assert client.request("hello") == {"version": "1"}


def test_an_invalid_configuration_carries_each_fault(box: Box) -> None:
    with RecorderClient(box.path) as client, pytest.raises(RequestError) as refused:
        client.request("config.apply", base_version=1, document="d", by="me")
    assert refused.value.details["faults"] == ["d: wrong", "and another"]  # type: ignore[attr-defined]


def test_a_subscriber_gets_the_full_state_then_every_change(box: Box) -> None:
    box.change()
    with RecorderClient(box.path).subscribe() as events:
        first = events.next(5)
        assert first is not None
        assert (first["event"], first["seq"]) == ("state", 1)
        box.change()
        box.change()
        assert [event["seq"] for event in (events.next(5), events.next(5)) if event] == [2, 3]


def test_levels_go_only_to_those_who_asked(box: Box) -> None:
    client = RecorderClient(box.path)
    with client.subscribe() as without, client.subscribe(levels=True) as with_levels:
        assert without.next(5)
        assert with_levels.next(5)
        box.server.publish({"event": "levels", "levels": {"fxo-1": {}}})
        assert without.next(0.3) is None
        box.change()
        got = {event["event"] for event in (with_levels.next(5), with_levels.next(5)) if event}
        assert got == {"levels", "line"}
        only = without.next(5)
        assert only is not None
        assert only["event"] == "line"


def test_a_slow_subscriber_gets_a_fresh_state_in_place_of_what_it_missed(tmp_path: Path) -> None:
    box = Box(tmp_path / "recorder.sock", queue_events=10)
    box.padding = "x" * 50_000
    try:
        with RecorderClient(box.path).subscribe() as events:
            assert events.next(5)
            began = time.monotonic()
            for _ in range(500):
                box.change()
            assert time.monotonic() - began < 2, "publishing waited for a client"
            seen: list[dict[str, Any]] = []
            while not seen or seen[-1]["seq"] < 500:
                event = events.next(5)
                assert event is not None, f"nothing after {seen[-1]['seq'] if seen else None}"
                seen.append(event)
        numbers = [event["seq"] for event in seen]
        assert numbers == sorted(set(numbers)), "an event came twice or late"
        for before, after in itertools.pairwise(seen):
            assert after["event"] == "state" or after["seq"] == before["seq"] + 1, "events missing without a new state"
        assert any(event["event"] == "state" for event in seen)
        assert len(seen) < 500
    finally:
        box.server.stop()


def test_no_change_is_lost_to_subscribers_that_come_while_things_change(box: Box) -> None:
    done = threading.Event()

    def keep_changing() -> None:
        while not done.is_set():
            box.change()
            time.sleep(0.0005)

    changing = threading.Thread(target=keep_changing)
    changing.start()
    try:
        for _ in range(20):
            with RecorderClient(box.path).subscribe() as events:
                numbers = [event["seq"] for event in (events.next(5) for _ in range(6)) if event]
                assert numbers == list(range(numbers[0], numbers[0] + 6))
    finally:
        done.set()
        changing.join(5)


def test_nonsense_is_answered_and_the_next_request_works(box: Box) -> None:
    with raw(box) as connected:
        connected.sendall(b'{"id": 1\n[1]\n\xff\xfe\n{"cmd": "hello"}\n{"id": 7, "cmd": "hello"}\n')
        answers = read_lines(connected, 5)
    assert [answer["ok"] for answer in answers] == [False, False, False, False, True]
    assert {answer["error"]["code"] for answer in answers[:4]} == {"bad_request"}
    assert answers[4]["id"] == 7


def test_a_line_over_1_mib_is_refused_and_ends_the_connection(box: Box) -> None:
    with raw(box) as connected:
        with contextlib.suppress(OSError):
            connected.sendall(b"x" * (1 << 20) + b"yyyy")
        answer = read_lines(connected, 1)[0]
        assert "longer than" in answer["error"]["message"]
        assert connected.recv(10) == b""
    assert RecorderClient(box.path).request("hello")


def test_a_client_that_hangs_up_in_the_middle_harms_nobody(box: Box) -> None:
    for data in (b"", b'{"id": 1, "cmd"', b'{"id": 1, "cmd": "slow"}\n'):
        with raw(box) as connected:
            connected.sendall(data)
    assert RecorderClient(box.path).request("hello")
    deadline = time.monotonic() + 5
    while box.server.client_count > 1 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert box.server.client_count <= 1


def test_an_answer_after_the_deadline_is_not_taken_for_the_next(box: Box) -> None:
    client = RecorderClient(box.path, deadline_s=0.3)
    with pytest.raises(RecorderUnreachableError, match=r"did not answer slow within 0\.3 s"):
        client.request("slow")
    assert client.request("hello") == {"version": "1"}


def test_too_many_clients_are_told_so(box: Box) -> None:
    clients = [raw(box) for _ in range(MAX_CLIENTS)]
    for connected in clients:
        connected.sendall(b'{"id":1,"cmd":"hello"}\n')
        read_lines(connected, 1)
    with pytest.raises(RequestError, match="clients are connected already"):
        RecorderClient(box.path).request("hello")
    for connected in clients:
        connected.close()


def test_the_socket_is_for_the_group_only(box: Box) -> None:
    assert stat.S_IMODE(box.path.stat().st_mode) == 0o660


def test_a_socket_left_by_a_killed_recorder_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "recorder.sock"
    left = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    left.bind(str(path))
    left.close()
    box = Box(path)
    assert RecorderClient(path).request("hello")
    box.server.stop()
    assert not path.exists()


def test_a_living_recorder_keeps_its_socket(box: Box) -> None:
    with pytest.raises(AlreadyRunningError, match="systemctl stop"):
        Box(box.path)
    assert RecorderClient(box.path).request("hello")


def test_without_a_recorder_the_client_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RecorderUnreachableError, match="systemctl start offhook-recorder"):
        RecorderClient(tmp_path / "recorder.sock").request("hello")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open everything")
def test_a_person_outside_the_group_is_told_so(box: Box) -> None:
    box.path.chmod(0)
    with pytest.raises(RecorderUnreachableError, match="group offhook"):
        RecorderClient(box.path).request("hello")


def test_a_recorder_that_stops_ends_the_subscription(box: Box) -> None:
    with RecorderClient(box.path).subscribe() as events:
        assert events.next(5)
        box.server.stop()
        with pytest.raises(ConnectionError, match="try again in a few seconds"):
            events.next(5)


def test_stop_ends_every_thread(tmp_path: Path) -> None:
    box = Box(tmp_path / "recorder.sock")
    connected = [raw(box) for _ in range(5)]
    RecorderClient(box.path).request("hello")
    box.server.stop()
    assert [t.name for t in threading.enumerate() if t.name.startswith("ipc-")] == []
    for one in connected:
        one.close()
