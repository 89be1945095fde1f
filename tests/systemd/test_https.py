"""What `make install` and the image put before the page: https from the first start, by an authority of the box's own.

The files are those that the installer lays, with other ports and folders; nginx, OpenSSL and the page are real.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import urllib3

from tests.systemd.test_install import INSTALL, run
from tests.webui.box import PASSWORD, Database, StubRecorder, eventually, live_line

NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


@dataclass(frozen=True)
class Front:
    """A box as its neighbours in the network see it."""

    http: int
    https: int
    ca: Path
    run_dir: Path

    def pool(self, **trust: object) -> urllib3.HTTPSConnectionPool:
        return urllib3.HTTPSConnectionPool(
            "127.0.0.1", self.https, server_hostname="offhook.local", assert_hostname="offhook.local", timeout=30,
            **{"ca_certs": str(self.ca), "cert_reqs": "CERT_REQUIRED"} | trust,
        )  # fmt: skip


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    tmp_path = tmp_path_factory.mktemp("front")
    laid = tmp_path / "laid"
    assert run(INSTALL, "--root", laid).returncode == 0
    tls, page = tmp_path / "tls", tmp_path / "page.sock"
    made = run("sh", laid / "opt/offhook/certificate", OFFHOOK_TLS=str(tls))
    assert made.returncode == 0, made.stderr
    http, https = _free_port(), _free_port()
    site = (laid / "etc/nginx/sites-enabled/offhook.conf").read_text()
    for theirs, ours in {
        "/etc/offhook/tls": str(tls),
        "/run/offhook-web/page.sock": str(page),
        "listen 80 ": f"listen 127.0.0.1:{http} ",
        "listen 443 ": f"listen 127.0.0.1:{https} ",
    }.items():  # fmt: skip
        assert theirs in site
        site = site.replace(theirs, ours)
    site = re.sub(r".*listen \[::\].*\n", "", site)
    (tmp_path / "site.conf").write_text(site)
    temporary = " ".join(
        f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (tmp_path / "nginx.conf").write_text(
        f"daemon off; pid {tmp_path}/nginx.pid; error_log stderr; {'user root;' if os.geteuid() == 0 else ''}\n"
        f"events {{}}\nhttp {{ {temporary} include {tmp_path}/site.conf; }}\n"
    )
    data, run_dir = tmp_path / "data", tmp_path / "run"
    data.mkdir()
    run_dir.mkdir()
    Database(data).close()
    start = (
        "import sys; from pathlib import Path; from webui.serve import main; "
        "main(Path(sys.argv[1]), Path(sys.argv[2]), unix_socket=Path(sys.argv[3]))"
    )
    server = subprocess.Popen(
        [sys.executable, "-c", start, str(data), str(run_dir), str(page)],
        env={**os.environ, "OFFHOOKCA": str(tls / "ca.pem")},
        stdout=subprocess.DEVNULL,
    )
    before = subprocess.Popen([str(NGINX), "-c", str(tmp_path / "nginx.conf"), "-p", str(tmp_path)])
    try:
        eventually(page.exists, "the page listens", 60)
        eventually(lambda: _listens(https), "nginx listens", 30)
        yield Front(http, https, tls / "ca.pem", run_dir)
    finally:
        for process in (before, server):
            process.terminate()
            process.wait(20)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_browser_that_trusts_the_box_gets_http_2(front: Front) -> None:
    trusting = ssl.create_default_context(cafile=str(front.ca))
    trusting.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("127.0.0.1", front.https), 20) as plain,
        trusting.wrap_socket(plain, server_hostname="offhook.local") as secure,
    ):
        assert secure.selected_alpn_protocol() == "h2"  # with HTTP/1.1 the seventh open tab would hang
        assert secure.version() in ("TLSv1.2", "TLSv1.3")
    stranger = ssl.create_default_context()
    with socket.create_connection(("127.0.0.1", front.https), 20) as plain, pytest.raises(ssl.SSLCertVerificationError):
        stranger.wrap_socket(plain, server_hostname="offhook.local")


def test_http_leads_to_https_and_carries_no_password(front: Front) -> None:
    plain = urllib3.HTTPConnectionPool("127.0.0.1", front.http, timeout=30)
    answer = plain.request("POST", "/login?next=/calls/", fields={"name": "x", "password": "y"}, redirect=False)
    assert answer.status == 301
    assert answer.headers["Location"].startswith("https://")
    assert "Set-Cookie" not in answer.headers


def test_logging_in_and_the_stream_of_events_go_through(front: Front) -> None:
    browser = front.pool()
    opened = browser.request("GET", "/first-run")
    cookie = opened.headers["Set-Cookie"].partition(";")[0]
    assert cookie.startswith("__Host-")
    assert "Secure" in opened.headers["Set-Cookie"]
    token = re.search(rb'name="csrf_token" value="([^"]+)"', opened.data)
    assert token is not None
    code = (front.run_dir / "first-run-code").read_text().strip()
    form = {"csrf_token": token[1].decode(), "code": code, "name": "owner"}
    form |= {"password": PASSWORD, "password_again": PASSWORD}
    made = browser.request(
        "POST", "/first-run", fields=form, headers={"Cookie": cookie}, redirect=False, encode_multipart=False
    )
    assert made.status == 302, made.data
    signed_in = {"Cookie": made.headers["Set-Cookie"].partition(";")[0]}
    with StubRecorder(front.run_dir, [live_line()]):
        asked_s = time.monotonic()
        stream = browser.request("GET", "/live/events", headers=signed_in, preload_content=False)
        heard = b""
        for piece in stream.stream(64):  # nothing on the way gathers what is said
            heard += piece
            if b"event: state" in heard:
                break
        assert time.monotonic() - asked_s < 10
        stream.close()
    assert browser.request("GET", "/ca.crt").data == front.ca.read_bytes()


def test_a_visitor_does_not_say_what_the_box_is_called(front: Front) -> None:
    page = front.pool().request("GET", "/trust", headers={"X-Forwarded-Host": "evil.example", "X-Forwarded-For": "x"})
    assert page.status == 200
    assert b"evil.example" not in page.data


def test_a_restart_keeps_the_certificate_and_a_new_name_makes_a_new_one(tmp_path: Path) -> None:
    run(INSTALL, "--root", tmp_path / "laid")
    script, tls = tmp_path / "laid/opt/offhook/certificate", tmp_path / "tls"
    run("sh", script, OFFHOOK_TLS=str(tls))
    before = {name: (tls / name).read_bytes() for name in ("ca.pem", "box.pem")}
    run("sh", script, OFFHOOK_TLS=str(tls))
    assert {name: (tls / name).read_bytes() for name in before} == before
    (tls / "names").write_text("DNS:another.local\n")
    run("sh", script, OFFHOOK_TLS=str(tls))
    assert (tls / "ca.pem").read_bytes() == before["ca.pem"]  # whoever trusts the box goes on trusting it
    assert (tls / "box.pem").read_bytes() != before["box.pem"]
    for name in ("ca.key", "box.key"):
        assert (tls / name).stat().st_mode & 0o077 == 0


def test_the_certificate_is_short_enough_for_apples_browsers_and_made_anew_in_time(tmp_path: Path) -> None:
    run(INSTALL, "--root", tmp_path / "laid")
    script, tls = tmp_path / "laid/opt/offhook/certificate", tmp_path / "tls"
    assert run("sh", script, OFFHOOK_TLS=str(tls)).returncode == 0
    box = tls / "box.pem"
    day_s = 86400
    assert run("openssl", "x509", "-in", box, "-noout", "-checkend", str(790 * day_s)).returncode == 0
    assert run("openssl", "x509", "-in", box, "-noout", "-checkend", str(824 * day_s)).returncode == 1
    almost_over = ["-days", "80", "-subj", "/CN=offhook.local", "-out", box]
    assert run("openssl", "req", "-x509", "-new", "-key", tls / "box.key", *almost_over).returncode == 0
    assert run("sh", script, OFFHOOK_TLS=str(tls)).returncode == 0
    assert run("openssl", "x509", "-in", box, "-noout", "-checkend", str(790 * day_s)).returncode == 0
