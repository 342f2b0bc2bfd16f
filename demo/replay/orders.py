"""What is sent for an invoice."""

from __future__ import annotations

from typing import Any

from demo.invoices import Invoice

# Invoices with these last digits are paid with a card that is declined: one in a hundred.
DECLINED_ENDING = "00"


def order_of(invoice: Invoice) -> dict[str, Any]:
    """The body of POST /orders. Abroad the customers, mostly shops, buy on account."""
    if invoice.country_code != "GB":
        payment = {"method": "invoice", "token": ""}
    elif invoice.number.endswith(DECLINED_ENDING):
        payment = {"method": "card", "token": "tok_declined"}
    else:
        payment = {"method": "card", "token": "tok_visa"}
    return {
        "lines": [{"sku": sku, "quantity": quantity} for sku, quantity in invoice.lines.items()],
        "shipping_address": {
            "name": f"Customer {invoice.customer or 'unknown'}",
            "line1": "1 High Street",
            "city": invoice.country,
            "postcode": "",
            "country": invoice.country_code,
        },
        "payment": payment,
        "currency": "GBP",
    }
