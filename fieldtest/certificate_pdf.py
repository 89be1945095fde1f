"""The certificate as a PDF in one language: verdict, who, where, with what, every value beside its limits."""

from __future__ import annotations

import io
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import segno
from fpdf import FPDF
from fpdf.fonts import FontFace

from fieldtest import words
from fieldtest.catalogue import step
from fieldtest.results import Result
from fieldtest.run import GroupRun, Run, RunError
from fieldtest.value_text import value_text
from fieldtest.verdicts import Verdict

FONT = Path("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc")
"""Debian's fonts-wqy-microhei: Latin and Chinese, TrueType outlines, embedded as a subset."""
_COLOURS = {
    Verdict.PASSED: (22, 120, 60),
    Verdict.MARGINAL: (176, 110, 0),
    Verdict.FAILED: (190, 30, 30),
    Verdict.NOT_TESTED: (110, 110, 110),
}
_BLACK, _GREY, _LIGHT = (25, 25, 25), (95, 95, 95), (243, 244, 246)
_WIDTHS = (30, 13, 14, 9, 11, 23)


def render(run: Run, *, language: str, zone: str, link: str, fingerprint: str, photo: bytes | None) -> bytes:
    """Raises `RunError` when the font is not installed."""
    if not FONT.exists():
        raise RunError(f"the certificate's font {FONT} is missing: install the package fonts-wqy-microhei")
    page = _Page(run, language, ZoneInfo(zone))
    page.head(link)
    page.findings()
    for group in run.groups:
        page.group(group)
    if photo is not None:
        page.photo(photo)
    page.foot(fingerprint)
    return bytes(page.pdf.output())


class _Page:
    def __init__(self, run: Run, language: str, zone: ZoneInfo) -> None:
        self._run = run
        self._language = language
        self._zone = zone
        self.pdf = FPDF(format="A4")
        self.pdf.set_title(f"{words.TITLE.in_(language)} {run.id}")
        self.pdf.set_creator("Offhook")
        self.pdf.set_lang("zh-CN" if language == "zh" else "en")
        self.pdf.set_creation_date(datetime.fromtimestamp((run.ended_utc_ms or run.begun_utc_ms) / 1000, zone))
        self.pdf.add_font("main", fname=FONT)
        self.pdf.set_margins(16, 16, 16)
        self.pdf.set_auto_page_break(True, 18)
        self.pdf.add_page()

    def head(self, link: str) -> None:
        pdf, run = self.pdf, self._run
        self._qr(link)
        self._text(words.TITLE.in_(self._language), 20)
        self._text(words.VERDICTS[run.verdict].in_(self._language), 26, _COLOURS[run.verdict])
        if run.state != "finished":
            self._text(words.BREACH.in_(self._language), 10, _COLOURS[Verdict.FAILED])
        pdf.ln(2)
        when = datetime.fromtimestamp(run.begun_utc_ms / 1000, self._zone).strftime("%Y-%m-%d %H:%M %Z")
        for label, value in (
            (words.PLACE, run.place),
            (words.BOX, run.device_id),
            (words.WHEN, when),
            (words.TECHNICIAN, run.technician or "—"),
            (words.RUN, run.id),
            (words.VERSION, run.version),
            (words.SERIALS, ", ".join(f"{name} {value}" for name, value in run.serials.items()) or "—"),
        ):
            pdf.set_font("main", size=9)
            pdf.set_text_color(*_GREY)
            pdf.cell(32, 5.2, label.in_(self._language))
            pdf.set_text_color(*_BLACK)
            pdf.multi_cell(110, 5.2, value, align="L", new_x="LMARGIN", new_y="NEXT")
        pdf.ln(3)

    def findings(self) -> None:
        found = [(group, finding) for group in self._run.groups for finding in group.findings]
        if not found:
            return
        self._text(words.FINDINGS.in_(self._language), 12)
        for group, finding in found:
            said = f"{group.subject}: {finding.words.in_(self._language)}"
            self._text(said, 9, _COLOURS[Verdict.FAILED])
            self._text(finding.todo.in_(self._language), 9, _GREY)
        self.pdf.ln(3)

    def group(self, group: GroupRun) -> None:
        pdf = self.pdf
        count = words.MEASURED.in_(self._language).format(
            n=group.measured, all=len(group.results), seconds=group.seconds
        )
        self._text(f"{group.subject}  {group.label if group.label != group.subject else ''}", 12)
        self._text(f"{words.VERDICTS[group.verdict].in_(self._language)} · {count}", 9, _COLOURS[group.verdict])
        pdf.set_font("main", size=7.5)
        pdf.set_text_color(*_BLACK)
        pdf.set_draw_color(215, 218, 222)
        heading = FontFace(color=_GREY, fill_color=_LIGHT)
        with pdf.table(
            col_widths=_WIDTHS,
            line_height=4.4,
            borders_layout="HORIZONTAL_LINES",
            headings_style=heading,
            text_align="LEFT",
            padding=(0.5, 1),
        ) as table:
            row = table.row()
            for column in words.COLUMNS:
                row.cell(column.in_(self._language))
            for result in group.results:
                row = table.row()
                for cell in self._cells(group, result):
                    row.cell(cell)
                verdict = words.VERDICTS[result.verdict].in_(self._language)
                row.cell(verdict, style=FontFace(color=_COLOURS[result.verdict]))
                row.cell(result.note.in_(self._language) if result.note else "")
        pdf.ln(5)

    def photo(self, photo: bytes) -> None:
        self.pdf.image(io.BytesIO(photo), w=90, h=90, keep_aspect_ratio=True)
        self.pdf.ln(3)

    def foot(self, fingerprint: str) -> None:
        self._text(words.SIGNED.in_(self._language).format(fingerprint=fingerprint), 8, _GREY)

    def _cells(self, group: GroupRun, result: Result) -> tuple[str, str, str, str]:
        about = step(group.group, result.step)
        limits = about.limits
        drift = "" if not result.drift or limits is None else f"{result.drift:+.3g}"
        return (
            about.name(self._language),
            value_text(group, result, self._language),
            limits.text() if limits else "",
            drift,
        )

    def _qr(self, link: str) -> None:
        out = io.BytesIO()
        segno.make(link, error="m", micro=False).save(out, kind="png", scale=6, border=2)
        self.pdf.image(out, x=162, y=14, w=32, h=32)

    def _text(self, text: str, size: float, colour: tuple[int, int, int] = _BLACK) -> None:
        self.pdf.set_font("main", size=size)
        self.pdf.set_text_color(*colour)
        width = 142 if self.pdf.page_no() == 1 and self.pdf.get_y() < 48 else 0
        self.pdf.multi_cell(width, size * 0.52, text, align="L", new_x="LMARGIN", new_y="NEXT")
