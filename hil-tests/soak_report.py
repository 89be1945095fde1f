"""The soak's report: one HTML file with plots as SVG, that needs nothing else."""

from __future__ import annotations

import html
import os
import platform
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 900, 220, 60, 30


@dataclass(frozen=True)
class Sample:
    at_s: float
    calls: int
    rss_mib: float
    load: float


def write(path: Path, soak: Any, cuts: str) -> None:
    """``soak`` is soak.Soak."""
    verdict = "passed" if not soak.differences else f"{len(soak.differences)} differences"
    torments = Counter(name for _, name in soak.torments)
    facts = [
        ("made", datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")),
        ("machine", f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"),
        ("calls of the street", soak.calls),
        ("prompts heard in recordings", soak.heard),
        ("faults named in the ledger", soak.torments_seen),
        ("time", f"{soak.seconds:.0f} s"),
        *((name, count) for name, count in sorted(torments.items())),
    ]
    marks = [at for at, _ in soak.torments]
    plots = "".join(
        _plot(title, [(s.at_s, value(s)) for s in soak.samples], marks)
        for title, value in (
            ("Calls that are over", lambda s: s.calls),
            ("Memory of the recorder, MiB", lambda s: s.rss_mib),
            ("Load of the machine", lambda s: s.load),
        )
    )
    rows = "".join(f"<tr><th>{html.escape(str(name))}<td>{html.escape(str(value))}" for name, value in facts)
    lists = "".join(
        f"<h2>{title}</h2><ul>{''.join(f'<li>{html.escape(text)}' for text in texts) or '<li>none'}</ul>"
        for title, texts in (("Differences", soak.differences), ("Not tested", soak.not_tested))
    )
    path.write_text(
        "<!doctype html><meta charset=utf-8><title>Offhook soak</title><style>body{font:16px system-ui;max-width:960px;"
        "margin:2rem auto;padding:0 1rem}th{text-align:left;padding-right:2rem;font-weight:400}svg{width:100%}"
        f"pre{{overflow:auto;font-size:12px}}</style><h1>Soak: {html.escape(verdict)}</h1><table>{rows}</table>{plots}"
        f"<p>Grey lines: torments.</p>{lists}<h2>Power cuts</h2><pre>{html.escape(cuts)}</pre>",
        encoding="utf-8",
    )


def _plot(title: str, points: list[tuple[float, float]], marks: list[float]) -> str:
    if not points:
        return ""
    last = max(at for at, _ in points) or 1.0
    top = max(value for _, value in points) * 1.05 or 1.0

    def x(at: float) -> float:
        return _LEFT + at / last * (_WIDTH - _LEFT - 10)

    def y(value: float) -> float:
        return _HEIGHT - _BOTTOM - value / top * (_HEIGHT - _BOTTOM - 10)

    line = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in points)
    grey = "".join(f'<path stroke="#bbb" d="M{x(at):.1f} 10V{_HEIGHT - _BOTTOM}"/>' for at in marks if at <= last)
    return (
        f'<h2>{title}</h2><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" fill="none">{grey}'
        f'<polyline points="{line}" stroke="#0f766e" stroke-width="2"/>'
        f'<path stroke="#333" d="M{_LEFT} 10V{_HEIGHT - _BOTTOM}H{_WIDTH - 10}"/>'
        f'<text x="4" y="20" fill="#333">{top:.4g}</text><text x="4" y="{_HEIGHT - _BOTTOM}" fill="#333">0</text>'
        f'<text x="{_WIDTH - 90}" y="{_HEIGHT - 8}" fill="#333">{last:.0f} s</text></svg>'
    )
