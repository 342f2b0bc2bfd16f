"""Invoices and credit notes as PDF, made from the stored document whenever somebody asks.

The same document gives the same bytes: the file has no time and no random id in it.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import fontpkg_fira_sans
from reportlab.lib import colors
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table

from domains.orders.models.invoices import Document
from domains.orders.services.invoice_content import COLUMNS, Content, content_of

_INK = colors.HexColor("#1c2330")
_QUIET = colors.HexColor("#5b6575")
_RULE = colors.HexColor("#dfe3e8")
# Of the page; what is written begins a little further in.
_MARGIN, _PADDING = 16 * mm, 6
_WIDTH = A4[0] - 2 * (_MARGIN + _PADDING)
_LINE_WIDTHS = [share * _WIDTH for share in (0.34, 0.09, 0.14, 0.12, 0.09, 0.1, 0.12)]

# A font is read through one position in its file, which two threads would move for each other.
_one_at_a_time = threading.Lock()


def pdf_of(document: Document) -> bytes:
    content = content_of(document)
    with _one_at_a_time:
        return _made(content)


def _made(content: Content) -> bytes:
    _register_fonts()
    file = io.BytesIO()
    name = f"{content.title} {content.number}"
    made = SimpleDocTemplate(
        file,
        pagesize=A4,
        leftMargin=_MARGIN,
        rightMargin=_MARGIN,
        topMargin=_MARGIN,
        bottomMargin=22 * mm,
        title=name,
        author=content.seller[0],
        invariant=1,
        lang="en",
    )

    def footer(canvas: Any, _: Any) -> None:
        canvas.setFont("Document", 8)
        canvas.setFillColor(_QUIET)
        edge = _MARGIN + _PADDING
        canvas.drawString(edge, 12 * mm, name)
        canvas.drawRightString(A4[0] - edge, 12 * mm, f"Page {canvas.getPageNumber()}")

    made.build(_story(content), onFirstPage=footer, onLaterPages=footer)
    return file.getvalue()


def _story(content: Content) -> list[Any]:
    return [
        _head(content),
        Spacer(1, 10 * mm),
        _parties(content),
        Spacer(1, 8 * mm),
        _lines(content),
        Spacer(1, 6 * mm),
        _sums(content),
        Spacer(1, 10 * mm),
        _text(f"All amounts in {content.currency}.", "small"),
        *(_text(line, "small") for line in content.note.splitlines()),
    ]


def _head(content: Content) -> Table:
    left = [_text(content.title, "title"), _text(content.number, "number")]
    if content.subtitle:
        left.append(_text(content.subtitle, "quiet"))
    name, *address = content.seller
    right = [_text(name, "bold right"), *(_text(line, "right") for line in address)]
    right += [_text(f"{label} {text}", "right") for label, text in content.seller_facts]
    return _plain([[left, right]], [0.5 * _WIDTH, 0.5 * _WIDTH])


def _parties(content: Content) -> Table:
    to = "Invoiced to" if content.title == "Invoice" else "Credited to"
    buyer = [_text(to, "label"), *(_text(line) for line in content.buyer)]
    delivery = [_text(line) for line in content.delivery]
    if delivery:
        delivery.insert(0, _text("Delivered to", "label"))
    facts = _plain(
        [[_text(label, "quiet"), _text(text, "right")] for label, text in content.facts],
        [0.17 * _WIDTH, 0.17 * _WIDTH],
    )
    return _plain([[buyer, delivery, facts]], [0.33 * _WIDTH, 0.33 * _WIDTH, 0.34 * _WIDTH])


def _lines(content: Content) -> Table:
    first, *others = COLUMNS
    rows: list[list[Any]] = [[_text(first, "label"), *(_text(o, "label right") for o in others)]]
    for row in content.rows:
        name = [_text(row.name), *([_text(row.sku, "small")] if row.sku else [])]
        rows.append([name, *(_text(figure, "right") for figure in row.figures)])
    table = Table(rows, colWidths=_LINE_WIDTHS, repeatRows=1, hAlign="LEFT")
    table.setStyle(
        [
            ("VALIGN", (0, 0), (-1, 0), "BOTTOM"),
            ("VALIGN", (0, 1), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ("RIGHTPADDING", (0, 0), (-1, -1), 4),
            ("LINEBELOW", (0, 0), (-1, 0), 1.2, _INK),
            ("LINEBELOW", (0, 1), (-1, -1), 0.5, _RULE),
        ]
    )
    return table


def _sums(content: Content) -> Table:
    head = [_text("Tax rate", "label"), _text("Net", "label right"), _text("Tax", "label right")]
    rates = [
        [_text(rate), _text(net, "right"), _text(tax, "right")] for rate, net, tax in content.taxes
    ]
    taxes = _plain([head, *rates], [0.13 * _WIDTH, 0.13 * _WIDTH, 0.13 * _WIDTH])
    *parts, (label, total) = content.totals
    rows = [[_text(name), _text(text, "right")] for name, text in parts]
    rows.append([_text(label, "total"), _text(total, "total right")])
    totals = _plain(rows, [0.19 * _WIDTH, 0.22 * _WIDTH])
    totals.setStyle(
        [("LINEABOVE", (0, -1), (-1, -1), 1.2, _INK), ("TOPPADDING", (0, -1), (-1, -1), 6)]
    )
    table = _plain([[taxes, "", totals]], [0.39 * _WIDTH, 0.2 * _WIDTH, 0.41 * _WIDTH])
    table.setStyle([("NOSPLIT", (0, 0), (-1, -1))])
    return table


def _plain(rows: Sequence[Sequence[Any]], widths: Sequence[float]) -> Table:
    table = Table(rows, colWidths=widths, hAlign="LEFT")
    table.setStyle(
        [
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ("RIGHTPADDING", (0, 0), (-1, -1), 4),
            ("TOPPADDING", (0, 0), (-1, -1), 1),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 1),
        ]
    )
    return table


def _text(text: str, style: str = "") -> Paragraph:
    return Paragraph(escape(text), _style(style))


@cache
def _style(kinds: str) -> ParagraphStyle:
    style = ParagraphStyle(
        kinds, fontName="Document", fontSize=9, leading=12, textColor=_INK, splitLongWords=1
    )
    for kind in kinds.split():
        for name, value in _KINDS[kind].items():
            setattr(style, name, value)
    return style


_KINDS: dict[str, dict[str, Any]] = {
    "right": {"alignment": TA_RIGHT},
    "bold": {"fontName": "Document-Bold"},
    "quiet": {"textColor": _QUIET},
    "label": {"fontName": "Document-Bold", "fontSize": 8, "leading": 10, "textColor": _QUIET},
    "small": {"fontSize": 8, "leading": 10, "textColor": _QUIET},
    "title": {"fontName": "Document-Bold", "fontSize": 22, "leading": 26},
    "number": {"fontSize": 12, "leading": 16, "textColor": _QUIET},
    "total": {"fontName": "Document-Bold", "fontSize": 12, "leading": 15},
}


@cache
def _register_fonts() -> None:
    folder = Path(fontpkg_fira_sans.ROOT) / "files"
    pdfmetrics.registerFont(TTFont("Document", folder / "FiraSans-Regular.ttf"))
    pdfmetrics.registerFont(TTFont("Document-Bold", folder / "FiraSans-SemiBold.ttf"))
