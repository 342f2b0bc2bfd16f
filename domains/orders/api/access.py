"""Who may see which orders."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest

from domains.orders.errors import CurrencyMismatch, OrderNotFound
from domains.orders.models import Order
from domains.orders.queries import orders as queries
from domains.orders.rules.history import By, Kind
from domains.orders.services import tokens
from infrastructure.auth.actor import Actor
from infrastructure.auth.errors import NotAuthenticated
from infrastructure.errors import FieldError

# A guest's credential; see `services.tokens`.
HEADER = "Order-Token"


def caller_of(request: HttpRequest) -> Actor | None:
    """Who is signed in; None for a guest."""
    return request.user  # type: ignore[return-value]


def order_for(request: HttpRequest, order_id: UUID, *, everybody: str) -> Order:
    """An order that the caller may act on: their own, one whose token they send, or with that scope
    anybody's.

    Raises OrderNotFound, also for an order of somebody else and for another order's token, and
    NotAuthenticated for a stranger who sends none.
    """
    actor, token = caller_of(request), request.META.get("HTTP_ORDER_TOKEN", "")
    if actor is None and not token:
        raise NotAuthenticated
    if not token:
        assert actor is not None
        return queries.order_of(None if actor.may(everybody) else actor.id, order_id)
    order = queries.order_of(None, order_id)
    if order.token_hash is None or not tokens.opens(token, token_hash=bytes(order.token_hash)):
        raise OrderNotFound(f"There is no order {order_id}.")
    return order


def acting_on(request: HttpRequest, order_id: UUID, *, everybody: str) -> tuple[Order, By]:
    """The order as `order_for` finds it, and the caller as its history names them: who has not that
    scope came by their own order or its token, and is its customer."""
    order, actor = order_for(request, order_id, everybody=everybody), caller_of(request)
    if actor is None:
        return order, By(kind=Kind.CUSTOMER)
    is_staff = actor.id != order.customer_id and actor.may(everybody)
    return order, By(kind=Kind.STAFF if is_staff else Kind.CUSTOMER, id=actor.id)


def refuse_other_currency(order: Order, currency: str) -> None:
    """Of an `amount` in a body. Raises CurrencyMismatch."""
    if currency != order.currency:
        detail = f"The order is in {order.currency}, and not in {currency}."
        fault = FieldError("/amount/currency", CurrencyMismatch.code, detail, order.currency)
        raise CurrencyMismatch(detail, errors=[fault])
