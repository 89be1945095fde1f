"""Serves the console: one gunicorn process on this machine's own address."""

from __future__ import annotations

import ipaddress
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from firmware.errors import ConfigError
from sync.receiver.console.accounts import Accounts
from sync.receiver.console.app import create_app
from sync.receiver.opening import opener
from sync.receiver.settings import Settings

_THREADS = 16


def main(settings: Settings) -> None:
    """Prints the address and the first-run code, then serves until stopped.

    Raises `ConfigError` for an address that the network reaches: plain http would carry passwords and calls.
    """
    host = settings.console.host
    if not _is_loopback(host):
        raise ConfigError([f"the console does not serve plain http on {host}: use 127.0.0.1 and a proxy with https"])
    try:
        ZoneInfo(settings.console.time_zone)
    except (ValueError, OSError) as error:
        raise ConfigError([f"[console] time_zone: there is no time zone {settings.console.time_zone!r}"]) from error
    folder = settings.storage.data
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    accounts = Accounts(folder)
    code = accounts.first_run_code()
    accounts.close()
    if code is not None:
        print(f"First-run code: {code}", flush=True)  # noqa: T201  the operator reads it in the terminal
    _Server(f"{host}:{settings.console.port}", settings).run()


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Server(BaseApplication):  # type: ignore[misc]
    def __init__(self, bind: str, settings: Settings) -> None:
        self._bind = bind
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        options: dict[str, Any] = {
            "bind": self._bind,
            "workers": 1,
            "threads": _THREADS,
            "worker_class": "gthread",
            "timeout": 60,
            "graceful_timeout": 5,
            "proc_name": "offhook-cloud-console",
            "control_socket_disable": True,
            "loglevel": "warning",
            "umask": 0o077,
            "when_ready": _print_address,
        }
        for key, value in options.items():
            self.cfg.set(key, value)

    def load(self) -> Flask:
        """In the worker process: its database connections are its own."""
        return create_app(
            opener(self._settings),
            Accounts(self._settings.storage.data),
            zone=ZoneInfo(self._settings.console.time_zone),
        )


def _print_address(server: Arbiter) -> None:
    for listener in server.LISTENERS:
        print(f"The console: {listener}", flush=True)  # noqa: T201
