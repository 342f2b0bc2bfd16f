"""What the amounts of quotes, carts and orders contain, as the description of each field says it.

Where `prices_include_tax`: total = subtotal − discount + what is paid for shipping. Where not:
total = subtotal − discount + shipping's net + tax.
"""

from __future__ import annotations

SUBTOTAL = (
    "Of the lines, before discounts; with their tax where `prices_include_tax`, else without."
)
DISCOUNT = "Taken off the lines, not off shipping; with tax or without, as the subtotal."
TAX = (
    "Of the lines and of shipping. Where `prices_include_tax` it is contained in the other amounts,"
    " else only in those that are paid."
)


def total(paid: str) -> str:
    """The description of a total. paid: the field of `shipping` that says what is paid for it."""
    return (
        "What is paid, tax included. Where `prices_include_tax` it is"
        f" subtotal − discount + shipping.{paid}, else subtotal − discount + shipping.net + tax;"
        " without shipping those are 0."
    )


SHIPPING_PRICE = "Before discounts; with tax where `prices_include_tax`, else without."
SHIPPING_DISCOUNT = "Taken off its price; with tax or without, as the price."
SHIPPING_TAX = "The part of what is paid for it that is tax; also in the tax of the whole."
SHIPPING_NET = "What is paid for it, less its tax."
SHIPPING_PAID = "What is paid for it, its discount taken off and its tax included."
