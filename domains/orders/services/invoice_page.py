"""Invoices and credit notes as pages that print well."""

from __future__ import annotations

import base64
import hashlib

from django.template.loader import render_to_string

from domains.orders.models.invoices import Document
from domains.orders.services.invoice_content import COLUMNS, content_of

MEDIA_TYPE = "text/html"

# A page that somebody saves or sends on looks the same, so the style is in it.
STYLE = """
@page { size: A4; margin: 16mm; }
* { box-sizing: border-box; }
body { margin: 0; background: #eef0f2; color: #1c2330; font: 14px/1.45 system-ui, sans-serif; }
main { max-width: 860px; margin: 24px auto; padding: 48px; background: #fff; }
h1 { margin: 0; font-size: 28px; font-weight: 600; letter-spacing: -0.01em; }
h2 { margin: 0 0 4px; font-size: 12px; font-weight: 600; color: #5b6575; }
p { margin: 0; }
address { font-style: normal; }
header { display: flex; justify-content: space-between; gap: 32px; margin-bottom: 40px; }
.number { font-size: 16px; color: #5b6575; }
.seller { text-align: right; }
.parties { display: flex; flex-wrap: wrap; gap: 32px; margin-bottom: 32px; }
.parties > div { flex: 1 1 180px; overflow-wrap: anywhere; }
dl { flex: 1 1 240px; margin: 0; }
dl div { display: flex; justify-content: space-between; gap: 16px; }
dt { color: #5b6575; }
dd { margin: 0; }
table { border-collapse: collapse; }
th { padding: 6px 8px; font-size: 12px; font-weight: 600; text-align: left; color: #5b6575; vertical-align: bottom; }
td { padding: 7px 8px; vertical-align: top; overflow-wrap: anywhere; }
.figure { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
th.figure { white-space: normal; }
.lines { width: 100%; }
.lines thead { display: table-header-group; border-bottom: 2px solid #1c2330; }
.lines tbody tr { border-bottom: 1px solid #dfe3e8; break-inside: avoid; }
.sku { display: block; font-size: 12px; color: #5b6575; }
.sums { display: flex; flex-wrap: wrap; align-items: flex-start; justify-content: space-between; gap: 32px; margin-top: 24px; break-inside: avoid; }
.totals { min-width: 260px; }
.totals th { padding: 7px 8px; color: inherit; font-size: 14px; font-weight: 400; vertical-align: top; }
.total { border-top: 2px solid #1c2330; }
.total th, .total td { padding-top: 10px; font-size: 17px; font-weight: 600; }
footer { margin-top: 40px; font-size: 12px; color: #5b6575; }
footer p { margin-bottom: 4px; }
@media print { body { background: #fff; } main { max-width: none; margin: 0; padding: 0; } }
@media (max-width: 640px) { main { margin: 0; padding: 20px; } header { display: block; } .seller { text-align: left; margin-top: 16px; } .lines { display: block; overflow-x: auto; } }
"""  # noqa: E501  (one rule a line reads best)

# Nothing but this very style is let in: no script, no picture, no other style.
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; frame-ancestors 'none'; style-src 'sha256-{_HASH}'"


def page_of(document: Document) -> str:
    """HTML, to be sent with the POLICY."""
    context = {"content": content_of(document), "columns": COLUMNS, "style": STYLE}
    return render_to_string("orders/document.html", context)
