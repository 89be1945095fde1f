"""``python -m webui.workbook``: rows of JSON on stdin become an XLSX workbook on stdout.

A process of its own: its memory goes back when it ends.
"""

from __future__ import annotations

import io
import json
import sys

import xlsxwriter


def main() -> None:
    book_bytes = io.BytesIO()
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    book = xlsxwriter.Workbook(book_bytes, options)
    sheet = book.add_worksheet()
    bold = book.add_format({"bold": True})
    for column, width in enumerate((11, 10, 11, 18, 24, 16, 14, 10, 40, 20, 10, 10, 30)):
        sheet.set_column(column, column, width)
    for n, line in enumerate(sys.stdin):
        for column, cell in enumerate(json.loads(line)):
            sheet.write_string(n, column, cell, bold if n == 0 else None)
    sheet.freeze_panes(1, 0)
    book.close()
    sys.stdout.buffer.write(book_bytes.getvalue())


if __name__ == "__main__":
    main()
