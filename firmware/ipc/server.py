"""The recorder's Unix socket: takes clients in, answers their requests, and sends events to those who subscribed."""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from firmware.errors import AlreadyRunningError, OffhookError
from firmware.ipc.client_connection import ClientConnection
from firmware.ipc.codec import Reply, Request, encode, refusal
from firmware.worker import Worker

log = logging.getLogger("offhook.ipc")

MAX_CLIENTS = 32
"""The page's gunicorn threads, sync and a few shells; each costs two threads."""

_LOOK_AT_STOP_S = 0.25
_LAST_WORD_S = 0.2

Handler = Callable[[Request], Reply]
FullState = Callable[[], Mapping[str, Any]]
"""The ``state`` event as it is now. Returns at once (a frozen snapshot); called from any thread."""


class IpcServer:
    """Listens at ``path``. `publish` may be called from any thread and never waits for a client.

    Keep this order in the caller: first change what ``full_state`` returns, then `publish` the change; so a new
    subscriber sees each change in its first state, in an event, or in both, never in neither.
    """

    def __init__(self, path: Path, handler: Handler, full_state: FullState, *, queue_events: int = 256) -> None:
        self._path = path
        self._handler = handler
        self._full_state = full_state
        self._queue_events = queue_events
        self._clients: set[ClientConnection] = set()
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._accepting = Worker("ipc-accept", self._accept)

    def start(self) -> None:
        """Raises `AlreadyRunningError` when somebody answers at the path, `OffhookError` when it cannot be made."""
        _remove_stale(self._path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        old_mask = os.umask(0o117)  # 0660 from the first moment; the mask is the process's, so start before threads
        try:
            listener.bind(str(self._path))
        except OSError as error:
            listener.close()
            raise OffhookError(
                f"cannot make the socket {self._path}: {error}; its folder must exist and belong to the recorder's user"
            ) from error
        finally:
            os.umask(old_mask)
        listener.listen(128)  # connecting never waits: a full backlog refuses at once
        listener.setblocking(False)
        self._listener = listener
        self._accepting.start()

    def publish(self, event: Mapping[str, Any]) -> None:
        """Sends ``event`` to every subscriber (``levels`` only to those who asked for them)."""
        line = encode(event)
        kind, seq = event.get("event"), event.get("seq")
        with self._lock:
            clients = tuple(self._clients)
        for client in clients:
            client.offer(line, is_levels=kind == "levels", seq=seq if isinstance(seq, int) else None)

    def stop(self, deadline_s: float = 5.0) -> None:
        """Hangs up on everybody and removes the socket."""
        self._accepting.stop(deadline_s)
        with self._lock:
            clients = tuple(self._clients)
        for client in clients:
            client.hang_up()
        for client in clients:
            client.join(deadline_s)
        if self._listener is not None:
            self._listener.close()
            self._listener = None
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()

    @property
    def client_count(self) -> int:
        return len(self._clients)

    def _accept(self, stop: threading.Event) -> None:
        listener = self._listener
        assert listener is not None
        with selectors.DefaultSelector() as selector:
            selector.register(listener, selectors.EVENT_READ)
            while not stop.is_set():
                if not selector.select(_LOOK_AT_STOP_S):
                    continue
                try:
                    connected, _ = listener.accept()
                except (BlockingIOError, ConnectionAbortedError):
                    continue
                except OSError as error:  # out of file descriptors: others hold them, and calls are still recorded
                    log.error("cannot take in a client: %s", error)
                    stop.wait(1.0)
                    continue
                self._take_in(connected)

    def _take_in(self, connected: socket.socket) -> None:
        with self._lock:
            full = len(self._clients) >= MAX_CLIENTS
            if not full:
                client = ClientConnection(
                    connected,
                    handler=self._handler,
                    full_state=self._full_state,
                    gone=self._forget,
                    queue_events=self._queue_events,
                )
                self._clients.add(client)
        if full:
            busy = refusal("busy", f"{MAX_CLIENTS} clients are connected already; close one and try again")
            with connected, contextlib.suppress(OSError):
                connected.settimeout(_LAST_WORD_S)
                connected.send(encode(busy.to_message(None)))
                connected.shutdown(socket.SHUT_WR)
                # Closed with a request unread, the client would see a broken connection instead of these words.
                connected.recv(65536)
            return
        client.start()

    def _forget(self, client: ClientConnection) -> None:
        with self._lock:
            self._clients.discard(client)


def _remove_stale(path: Path) -> None:
    """Removes what a killed recorder left at ``path``; refuses to take the place of a living one."""
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except FileNotFoundError:
            return
        except OSError as error:
            raise OffhookError(
                f"cannot tell whether a recorder listens at {path}: {error}; remove it by hand"
            ) from error
    raise AlreadyRunningError(f"a recorder listens at {path} already; stop it first (systemctl stop offhook-recorder)")
