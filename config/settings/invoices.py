"""Who sells, as invoices say it, and when invoices are made."""

from __future__ import annotations

from zoneinfo import available_timezones

from config.settings.environment import env

# Copied onto every invoice when it is made; what changes here is on the next one.
SELLER = {
    "name": env.text("SELLER_NAME", "Kontor Demo Shop"),
    # Its lines, with semicolons between them.
    "address": env.text("SELLER_ADDRESS", "1 Harbour Street; London E14 9ZZ; GB"),
    "vat_id": env.text("SELLER_VAT_ID", ""),
    # How to reach the seller: an e-mail address, a telephone number.
    "contact": env.text("SELLER_CONTACT", ""),
    # Whatever else the law wants on it, such as a reason why no tax is charged.
    "note": env.text("SELLER_NOTE", ""),
}
# Where the books are kept: it says which day, and so which year, an invoice is of.
SELLER_TIME_ZONE = env.text("SELLER_TIME_ZONE", "UTC")
env.require(SELLER_TIME_ZONE in available_timezones(), "SELLER_TIME_ZONE is no time zone")
# Numbers are made of the series, the year and a count: INV-2026-000001.
INVOICE_SERIES = env.text("INVOICE_SERIES", "INV")
CREDIT_NOTE_SERIES = env.text("CREDIT_NOTE_SERIES", "CN")
env.require(
    INVOICE_SERIES.isascii()
    and CREDIT_NOTE_SERIES.isascii()
    and INVOICE_SERIES.isalnum()
    and CREDIT_NOTE_SERIES.isalnum()
    and len(INVOICE_SERIES + CREDIT_NOTE_SERIES) <= 40
    and INVOICE_SERIES != CREDIT_NOTE_SERIES,
    "INVOICE_SERIES and CREDIT_NOTE_SERIES must be two short words of letters and digits",
)
# `supply`: an order's invoice is made when the first money is taken or the first goods have left.
# `completion`: when everything has left and is paid.
INVOICE_WHEN = env.text("INVOICE_WHEN", "supply")
env.require(INVOICE_WHEN in ("supply", "completion"), "INVOICE_WHEN must be supply or completion")
