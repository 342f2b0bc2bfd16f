"""The forms in which invoices and credit notes are handed out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from domains.orders.models.invoices import Document
from domains.orders.services import invoice_page

_PDF = "application/pdf"
# What they are made into, on demand.
OFFERED = (invoice_page.MEDIA_TYPE, _PDF)


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    """headers: what an answer with it has to say besides its type."""

    content: bytes
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


def file_of(document: Document, media_type: str) -> File:
    """media_type: one of OFFERED."""
    kind = {invoice_page.MEDIA_TYPE: "html", _PDF: "pdf"}[media_type]
    shown = {"Content-Disposition": f'inline; filename="{document.number}.{kind}"'}
    if media_type == _PDF:
        # Its library is a tenth of all that a process loads, which is for those who ask for one.
        from domains.orders.services.invoice_pdf import pdf_of

        return File(content=pdf_of(document), content_type=media_type, headers=shown)
    return File(
        content=invoice_page.page_of(document).encode(),
        content_type=f"{media_type}; charset=utf-8",
        headers=shown | {"Content-Security-Policy": invoice_page.POLICY},
    )
