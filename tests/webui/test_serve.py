"""Where the page may listen."""

from __future__ import annotations

import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from firmware.errors import ConfigError
from tests.webui.box import eventually
from webui.serve import is_loopback, main


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "offhook.local", ""])
def test_plain_http_is_never_served_to_the_network(tmp_path: Path, host: str) -> None:
    with pytest.raises(ConfigError, match="plain http"):
        main(tmp_path, tmp_path, host=host)
    assert not (tmp_path / "web.db").exists()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"])
def test_this_machine_itself_is_fine(host: str) -> None:
    assert is_loopback(host)


def test_behind_nginx_it_listens_on_a_socket_that_others_cannot_open(tmp_path: Path) -> None:
    path = tmp_path / "web.sock"
    start = (
        "import sys; from pathlib import Path; from webui.serve import main; "
        "p = Path(sys.argv[1]); main(p, p, unix_socket=p / 'web.sock')"
    )
    process = subprocess.Popen([sys.executable, "-c", start, str(tmp_path)], stdout=subprocess.DEVNULL)
    try:
        eventually(path.exists, "the socket is there", deadline_s=30)
        assert stat.S_IMODE(path.stat().st_mode) & 0o007 == 0
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            eventually(lambda: client.connect_ex(str(path)) == 0, "it listens")
            client.sendall(
                b"GET /live/ HTTP/1.1\r\nHost: box.example\r\nAccept: text/html\r\nX-Forwarded-Proto: https\r\n"
                b"Connection: close\r\n\r\n"
            )
            answer = b""
            while chunk := client.recv(65536):
                answer += chunk
        assert answer.startswith(b"HTTP/1.1 302")
        assert b"Strict-Transport-Security" in answer
    finally:
        process.terminate()
        assert process.wait(15) == 0
