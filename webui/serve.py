"""Serves the page: one gunicorn process with many threads, on this machine's own address or behind nginx."""

from __future__ import annotations

import ipaddress
import logging
from pathlib import Path
from types import FrameType
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.workers.gthread import ThreadWorker

from firmware.errors import ConfigError
from webui.app import create_app
from webui.services import Services
from webui.users import first_run
from webui.users.store import UserStore

log = logging.getLogger("offhook.web")

THREADS = 64
"""More than all event streams together (`webui.feed.hub.STREAMS_AT_MOST`), or the page hangs with them."""


def main(
    data_dir: Path,
    run_dir: Path,
    host: str = "127.0.0.1",
    port: int = 8080,
    *,
    unix_socket: Path | None = None,
    cache_dir: Path | None = None,
) -> None:
    """Prints the address and the first-run code, then serves until SIGTERM or SIGINT.

    With ``unix_socket`` it listens there for nginx, which ends TLS. Raises `ConfigError` for an address that the
    network reaches (plain http would carry passwords), `StoreError` when web.db cannot be used.
    """
    if unix_socket is None and not is_loopback(host):
        raise ConfigError(
            [
                (
                    f"the page does not serve plain http on {host}: passwords and calls would cross the network in the "
                    "clear; use 127.0.0.1, or unix_socket with nginx and https before it"
                )
            ]
        )
    users = UserStore(data_dir / "web.db")
    code = first_run.prepare(users, run_dir)
    users.close()
    if code is not None:
        print(f"First-run code: {code}", flush=True)  # noqa: T201  the console is where the owner reads it
    _Server(
        bind=f"unix:{unix_socket}" if unix_socket else f"{_bracketed(host)}:{port}",
        make=lambda: create_app(
            data_dir,
            run_dir,
            cache_dir=cache_dir,
            behind_proxy=unix_socket is not None,
            trusted_hosts=None if unix_socket else ["127.0.0.1", "localhost", "[::1]", host],
        ),
    ).run()


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches ``host``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


class _Worker(ThreadWorker):  # type: ignore[misc]
    """Ends the event streams first when it is told to stop: their threads would hold it up."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        _services(self.wsgi).hub.close()
        super().handle_exit(sig, frame)

    handle_quit = handle_exit


class _Server(BaseApplication):  # type: ignore[misc]
    def __init__(self, *, bind: str, make: Any) -> None:
        self._bind = bind
        self._make = make
        super().__init__()

    def load_config(self) -> None:
        settings = {
            "bind": self._bind,
            "workers": 1,
            "threads": THREADS,
            "worker_class": _Worker,
            "timeout": 60,
            "graceful_timeout": 5,
            "keepalive": 15,
            "proc_name": "offhook-web",
            "control_socket_disable": True,
            "forwarded_allow_ips": "127.0.0.1",
            "loglevel": "warning",
            "umask": 0o007,
            "when_ready": _print_address,
            "worker_exit": _stop_feed,
        }
        for key, value in settings.items():
            self.cfg.set(key, value)

    def load(self) -> Flask:
        """Runs in the worker process, so that its threads live where the requests are answered."""
        app: Flask = self._make()
        _services(app).start()
        return app


def _print_address(server: Arbiter) -> None:
    """Only now somebody listens there, and a port that was left to the system (0) is known."""
    for listener in server.LISTENERS:
        print(f"The page: {listener}", flush=True)  # noqa: T201


def _stop_feed(_arbiter: object, worker: _Worker) -> None:
    if isinstance(worker.wsgi, Flask):
        _services(worker.wsgi).stop()


def _services(app: Flask) -> Services:
    services: Services = app.extensions["offhook"]
    return services
