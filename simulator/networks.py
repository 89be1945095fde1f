"""What the street believes of the world's telephone networks: a table of its own, that shares nothing with the box's.

Written from lists that are independent of the box's country file: Asterisk's indications.conf sample, spandsp's notes
on caller ID (adsi.h), and ITU-T E.180 supplement 2 where those quote it. Where the two tables disagree, one of them is
wrong, and `tests/analog/test_countries_end_to_end.py` says so.
"""

from __future__ import annotations

from dataclasses import dataclass

UK = (400, 200, 400, 2000)
ONE_FOUR = (1000, 4000)


@dataclass(frozen=True)
class Network:
    """One country. Times in ms: on, off, on, off ..."""

    ring: tuple[int, ...]
    dial_hz: tuple[float, ...]
    busy_hz: tuple[float, ...]
    busy: tuple[int, int]
    caller_id: str
    """``bell`` and ``v23`` are FSK, ``dtmf-a`` is A...C, ``dtmf-d`` D...C; ``ntt`` is sent to who
    answers the short rings before the ringing."""
    before: bool = False
    """Caller ID before the first ring."""
    ends: tuple[str, ...] = ("busy",)
    """How a far end that hangs up shows: ``busy``, ``congestion``, ``dial`` (tone), ``open_loop``, ``reversal``."""
    congestion: tuple[int, ...] = ()
    """Cadence of the congestion tone, at the busy tone's frequencies."""
    dial: tuple[int, ...] = ()
    """Cadence of the dial tone; empty: it does not stop."""
    dial_am_hz: float = 0.0
    ring_hz: float = 25.0


NETWORKS: dict[str, Network] = {
    "AE": Network(UK, (350, 440), (400,), (375, 375), "v23", True),
    "AR": Network((1000, 4000), (425,), (425,), (300, 200), "bell", False, ("busy", "reversal")),
    "AT": Network((1000, 5000), (420,), (420,), (400, 400), "v23", True, ring_hz=25.0),
    "AU": Network(UK, (413, 438), (425,), (375, 375), "bell", ends=("busy", "open_loop")),
    "BE": Network(
        (1000, 3000), (425,), (425,), (500, 500), "v23", True, ends=("busy", "congestion"), congestion=(167, 167)
    ),
    "BG": Network(ONE_FOUR, (425,), (425,), (500, 500), "v23", True),
    "BR": Network(ONE_FOUR, (425,), (425,), (250, 250), "dtmf-a", True, ends=("busy", "reversal")),
    "CA": Network(
        (2000, 4000),
        (350, 440),
        (480, 620),
        (500, 500),
        "bell",
        False,
        ring_hz=20.0,
        ends=("open_loop", "busy", "congestion", "dial"),
        congestion=(250, 250),
    ),
    "CH": Network(ONE_FOUR, (425,), (425,), (500, 500), "v23", True),
    "CL": Network((1000, 3000), (400,), (400,), (500, 500), "bell"),
    "CN": Network(ONE_FOUR, (450,), (450,), (350, 350), "bell", ends=("busy", "reversal")),
    "CR": Network((1203, 4797), (450,), (450,), (330, 330), "bell"),
    "CZ": Network(
        ONE_FOUR,
        (425,),
        (425,),
        (330, 330),
        "v23",
        False,
        dial=(330, 330, 660, 660),
        ends=("busy", "congestion"),
        congestion=(165, 165),
    ),
    "DE": Network(
        ONE_FOUR, (425,), (425,), (480, 480), "v23", True, ends=("busy", "congestion"), congestion=(240, 240)
    ),
    "DK": Network(
        ONE_FOUR, (425,), (425,), (500, 500), "dtmf-a", True, ends=("busy", "congestion"), congestion=(200, 200)
    ),
    "EE": Network(ONE_FOUR, (425,), (425,), (300, 300), "v23", True),
    "ES": Network(
        (1500, 3000),
        (425,),
        (425,),
        (200, 200),
        "v23",
        True,
        ends=("busy", "congestion"),
        congestion=(200, 200, 200, 200, 200, 600),
    ),
    "FI": Network(
        ONE_FOUR, (425,), (425,), (300, 300), "dtmf-a", True, ends=("busy", "congestion"), congestion=(200, 250)
    ),
    "FR": Network((1500, 3500), (440,), (440,), (500, 500), "v23", True, ends=("busy", "open_loop")),
    "GB": Network(UK, (350, 440), (400,), (375, 375), "v23", True, ("busy", "open_loop")),
    "GR": Network(ONE_FOUR, (425,), (425,), (300, 300), "v23", True, dial=(200, 300, 700, 800)),
    "HK": Network((400, 200, 400, 3000), (350, 440), (480, 620), (500, 500), "bell", ends=("busy", "open_loop")),
    "HR": Network(ONE_FOUR, (425,), (425,), (500, 500), "v23", True),
    "HU": Network((1250, 3750), (425,), (425,), (300, 300), "v23", True),
    "ID": Network(ONE_FOUR, (425,), (425,), (500, 500), "v23", True),
    "IE": Network(UK, (425,), (425,), (500, 500), "v23", True),
    "IL": Network((1000, 3000), (414,), (414,), (500, 500), "bell"),
    "IN": Network(UK, (400,), (400,), (750, 750), "dtmf-a", True, dial_am_hz=25.0, ends=("busy", "reversal")),
    "IS": Network((1200, 4700), (425,), (425,), (250, 250), "dtmf-a", True),
    "IT": Network(
        ONE_FOUR,
        (425,),
        (425,),
        (500, 500),
        "v23",
        True,
        dial=(200, 200, 600, 1000),
        ends=("busy", "congestion"),
        congestion=(200, 200),
    ),
    "JP": Network((1000, 2000), (400,), (400,), (500, 500), "ntt", True, ring_hz=16.0, ends=("busy", "reversal")),
    "KR": Network((1000, 2000), (350, 440), (480, 620), (500, 500), "bell", ring_hz=20.0),
    "LT": Network(ONE_FOUR, (425,), (425,), (350, 350), "v23", True),
    "LU": Network(ONE_FOUR, (425,), (425,), (480, 480), "v23", True),
    "MO": Network(ONE_FOUR, (425,), (425,), (500, 500), "bell"),
    "MX": Network((2000, 4000), (425,), (425,), (250, 250), "bell", ring_hz=20.0),
    "MY": Network(UK, (425,), (425,), (500, 500), "v23", True),
    "NL": Network(
        ONE_FOUR,
        (425,),
        (425,),
        (500, 500),
        "dtmf-d",
        True,
        ends=("busy", "congestion", "open_loop"),
        congestion=(250, 250),
    ),
    "NO": Network(
        ONE_FOUR, (425,), (425,), (500, 500), "v23", True, ends=("busy", "congestion"), congestion=(200, 200)
    ),
    "NZ": Network(UK, (400,), (400,), (500, 500), "bell", ring_hz=20.0, ends=("busy", "open_loop")),
    "PA": Network((2000, 4000), (425,), (425,), (320, 320), "bell"),
    "PH": Network(ONE_FOUR, (425,), (480, 620), (500, 500), "bell"),
    "PL": Network(ONE_FOUR, (425,), (425,), (500, 500), "v23", True),
    "PT": Network(
        (1000, 5000), (425,), (425,), (500, 500), "v23", True, ends=("busy", "congestion"), congestion=(200, 200)
    ),
    "RU": Network(ONE_FOUR, (425,), (425,), (350, 350), "v23", True),
    "SA": Network((1200, 4600), (425,), (425,), (500, 500), "dtmf-a", True),
    "SE": Network(
        (1000, 5000),
        (425,),
        (425,),
        (250, 250),
        "dtmf-a",
        True,
        dial=(320, 20),
        ends=("busy", "congestion"),
        congestion=(250, 750),
    ),
    "SG": Network(UK, (425,), (425,), (750, 750), "bell"),
    "SI": Network(ONE_FOUR, (425,), (425,), (500, 500), "v23", True, dial=(200, 300, 700, 800)),
    "SK": Network(ONE_FOUR, (425,), (425,), (330, 330), "v23", True, dial=(330, 330, 660, 660)),
    "TH": Network(ONE_FOUR, (400,), (400,), (500, 500), "bell", dial_am_hz=50.0),
    "TR": Network((2000, 4000), (450,), (450,), (500, 500), "v23", True),
    "TW": Network(ONE_FOUR, (350, 440), (480, 620), (500, 500), "bell", ring_hz=20.0, ends=("busy", "open_loop")),
    # No list has Ukraine; its exchanges are of the same build as Russia's.
    "UA": Network(ONE_FOUR, (425,), (425,), (350, 350), "v23", True),
    "US": Network(
        (2000, 4000),
        (350, 440),
        (480, 620),
        (500, 500),
        "bell",
        False,
        ring_hz=20.0,
        ends=("open_loop", "busy", "congestion", "dial"),
        congestion=(250, 250),
    ),
    "VE": Network(ONE_FOUR, (425,), (425,), (500, 500), "bell"),
    "ZA": Network(UK, (400,), (400,), (500, 500), "v23", True, dial_am_hz=33.0),
}
