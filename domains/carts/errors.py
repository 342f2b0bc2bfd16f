"""The refusals that carts can give."""

from __future__ import annotations

from uuid import UUID

from infrastructure.errors import DomainError, StaleVersion


class CartError(DomainError):
    """Any refusal of this context."""


class CartNotFound(CartError):
    """There never was one, it has expired, it was deleted or merged, or it is somebody else's."""

    code, status, title = "cart_not_found", 404, "There is no such cart"


class CartChanged(CartError, StaleVersion):
    """The cart has another version than the caller's change is based on."""


class CartFrozen(CartError):
    """The cart is being checked out, or merged into another: until that is decided it stays."""

    code, status, title = "cart_frozen", 409, "The cart cannot be changed at the moment"


class CartCheckedOut(CartError):
    """The cart became an order."""

    code, status, title = "cart_checked_out", 409, "The cart has become an order"

    def __init__(self, *, order_id: UUID) -> None:
        super().__init__("Its order is read by who placed it.")
        self.order_id = order_id


class CartEmpty(CartError):
    code, status, title = "cart_empty", 422, "There is nothing in the cart"


class CartNotMergeable(CartError):
    """Only a guest's cart is merged into a customer's."""

    code, status, title = "cart_not_mergeable", 409, "The cart belongs to a customer already"


class TooManyLines(CartError):
    code, status, title = "too_many_lines", 422, "The cart has too many lines"


class QuantityTooLarge(CartError):
    code, status, title = "quantity_too_large", 422, "Too many of one SKU"


class CartTooLarge(CartError):
    """SKUs and notes together have more characters than a cart keeps."""

    code, status, title = "cart_too_large", 422, "The cart has too much text"


class UnknownSku(CartError):
    """What is not sold here does not come into a cart."""

    code, status, title = "unknown_sku", 422, "A line names a SKU that is not sold here"


class NotSoldInCurrency(CartError):
    """It is sold here, and has no price in the currency that is asked for."""

    code, status, title = (
        "not_sold_in_currency",
        422,
        "A line names a SKU that is not sold in the currency",
    )


class UnknownChannel(CartError):
    code, status, title = "unknown_channel", 400, "Unknown channel"


class OutOfStock(CartError):
    """`errors` has one entry for each line of which there are not so many."""

    code, status, title = "out_of_stock", 409, "Not everything is in stock"


class CartNotDurable(CartError):
    """The change was made and has not reached as many replicas as are demanded. Read the cart, or
    send the change again under the same Idempotency-Key."""

    code, status, title = "cart_not_durable", 503, "The change is not safe yet"

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "1"})


class CartsUnavailable(CartError):
    """The store of the carts does not answer."""

    code, status, title = "carts_unavailable", 503, "Carts are temporarily unavailable"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail, headers={"Retry-After": "1"})
