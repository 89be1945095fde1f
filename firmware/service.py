"""The recorder as a process: one instance, systemd's notifications and watchdog, and a clean stop."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from pathlib import Path

from firmware import log as logs
from firmware.build import Box
from firmware.errors import AlreadyRunningError, OffhookError
from firmware.identity import load_or_create
from firmware.instance_lock import InstanceLock
from firmware.notify import Notifier

log = logging.getLogger("offhook.service")

_LOOK_EVERY_S = 1.0
_EXIT_BUG = 70
"""EX_SOFTWARE of sysexits.h: systemd restarts the recorder, and the journal holds the traceback."""


SWITCH_S = 0.001
"""A thread that has sound to pass on waits so long for the interpreter at most, not the usual 5 ms: a bridge has 60."""


def main(data_dir: Path, run_dir: Path) -> int:
    """Runs until SIGTERM or SIGINT. Returns the exit code; what stops the start is said in one message."""
    sys.setswitchinterval(SWITCH_S)
    logs.set_up("offhook-recorder")
    threading.excepthook = _end_on_bug
    # Our own factory serves every Linux GPIO chip; whoever wants another one says so in the environment.
    os.environ.setdefault("GPIOZERO_PIN_FACTORY", "offhook-gpiod")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        run_dir.mkdir(parents=True, exist_ok=True)
        with InstanceLock(data_dir):
            box = Box(data_dir, run_dir, load_or_create(data_dir / "identity"))
            _serve(box, stop)
    except AlreadyRunningError as error:
        print(f"offhook: {error}", file=sys.stderr)  # noqa: T201 - the person who started it by hand reads this
        return 4
    except OffhookError as error:
        log.error("%s", error)
        print(f"offhook: {error}", file=sys.stderr)  # noqa: T201 - the person who started it by hand reads this
        return 1
    return 0


def _serve(box: Box, stop: threading.Event) -> None:
    notifier = Notifier()
    box.start()
    notifier.ready(box.summary)
    log.info("ready: %s", box.summary)
    while not stop.wait(_LOOK_EVERY_S):
        if box.turned.is_set():
            # A core loop that hangs stops setting this, and systemd's watchdog ends the process.
            box.turned.clear()
            notifier.watchdog()
            notifier.status(box.summary)
    notifier.stopping("sealing recordings")
    log.info("stopping")
    box.stop()


def _end_on_bug(args: threading.ExceptHookArgs) -> None:
    """A bug in any thread ends the process: what is on the disk is safe, and a clean start beats a half-dead box."""
    if args.exc_type is SystemExit:
        return
    name = args.thread.name if args.thread else "?"
    log.critical(
        "a bug ended thread %s: the recorder restarts",
        name,
        exc_info=(args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback),
    )
    logging.shutdown()
    os._exit(_EXIT_BUG)
