"""Makes a broker one that knows only MQTT 3.1.1: another CONNECT is just closed, as RabbitMQ 3.10 does."""

from __future__ import annotations

import contextlib
import socket
import threading


class OldBroker:
    def __init__(self, behind: int) -> None:
        self._behind = behind
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.levels: list[int] = []
        """Protocol levels that came: 4 is 3.1.1, 5 is 5."""
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            first = client.recv(4096)
            # Fixed header (2 to 5 bytes), "MQTT" with its length, then the level (MQTT 3.1.1, 3.1.2.2).
            level = first[first.index(b"MQTT") + 4]
            self.levels.append(level)
            if level != 4:
                return
            with socket.create_connection(("127.0.0.1", self._behind)) as broker:
                broker.sendall(first)
                back = threading.Thread(target=_copy, args=(broker, client), daemon=True)
                back.start()
                _copy(client, broker)


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
