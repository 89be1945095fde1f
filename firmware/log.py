"""Where log lines go, and how a caller's number or name may appear in them."""

from __future__ import annotations

import logging
import os
import sys

PREFIX = "OFFHOOK_"
"""Journal fields made from ``extra={"offhook": {"line": ...}}``: ``OFFHOOK_LINE=...``."""

_SHOWN = 2
_LONG_ENOUGH_TO_SHOW_A_TAIL = 7


def redact(number_or_name: str | None) -> str:
    """What a log line may say of a caller: the last two characters and the length, ``13800138089`` → ``***89 (11)``.

    Of fewer than seven characters (a short code, a Chinese name) no tail is shown: it would tell too much of them.
    """
    if number_or_name is None:
        return "none"
    length = len(number_or_name)
    tail = number_or_name[-_SHOWN:] if length >= _LONG_ENOUGH_TO_SHOW_A_TAIL else ""
    return f"***{tail} ({length})"


class _StructuredFields(logging.Filter):
    """Lifts ``extra={"offhook": {...}}`` into names that journald accepts (upper case, no leading underscore)."""

    def filter(self, record: logging.LogRecord) -> bool:
        for name, value in getattr(record, "offhook", {}).items():
            setattr(record, PREFIX + name.upper(), str(value))
        return True


class PlainFormatter(logging.Formatter):
    """One readable line: time, level, part, text, then the structured fields as ``name=value``."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%Y-%m-%d %H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        fields = getattr(record, "offhook", {})
        return super().formatMessage(record) + "".join(f" {name}={value}" for name, value in fields.items())


def stderr_is_the_journal() -> bool:
    """True when systemd connected this process's stderr to the journal (systemd.exec(5), ``$JOURNAL_STREAM``)."""
    device, _, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
    if not inode:
        return False
    try:
        stat = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return (str(stat.st_dev), str(stat.st_ino)) == (device, inode)


def set_up(process: str, level: int = logging.INFO) -> None:
    """Sends every log line of this process to the journal, or readable to stderr where there is no journal.

    ``process`` is the name people filter by: ``offhook-recorder``. Called once, by the process's own main.
    """
    handler: logging.Handler
    if stderr_is_the_journal():
        from systemd.journal import JournalHandler  # noqa: PLC0415 - only there under systemd

        handler = JournalHandler(SYSLOG_IDENTIFIER=process)
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(PlainFormatter())
    handler.addFilter(_StructuredFields())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.captureWarnings(True)
