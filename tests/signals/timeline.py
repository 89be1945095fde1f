"""Plays edges into a recogniser in the time of the test, deadlines between them included."""

from __future__ import annotations

from firmware.model import Instant

START = Instant(boot_ns=100_000_000_000, utc_ns=1_795_000_000_000_000_000)


def at(ms):
    return START.plus_s(ms / 1000)


def ms(instant):
    return round(instant.seconds_since(START) * 1000)


def play(recogniser, edges, *, until_ms):
    """Feeds ``edges`` (each: arguments of `feed` without the moment, then the ms), advancing whenever it is due."""
    told = []
    for *arguments, edge_ms in [*edges, (None, until_ms)]:
        while (due := recogniser.due()) is not None and due.boot_ns <= at(edge_ms).boot_ns:
            told += recogniser.advance(due)
            if recogniser.due() == due:
                break
        if arguments != [None]:
            told += recogniser.feed(*arguments, at(edge_ms))
    return told + list(recogniser.advance(at(until_ms)))


def pulses(start_ms, duration_ms, hz, duty=0.5):
    """Edges of a half-wave rectified ringing current."""
    period = 1000 / hz
    edges = []
    for i in range(int(duration_ms / period)):
        edges += [(True, start_ms + i * period), (False, start_ms + (i + duty) * period)]
    return edges


def bounce(start_ms, duration_ms, every_ms=4):
    """A contact that chatters and ends open."""
    edges = []
    for i in range(int(duration_ms / every_ms / 2)):
        edges += [(True, start_ms + 2 * i * every_ms), (False, start_ms + (2 * i + 1) * every_ms)]
    return edges
