"""Setting the prices of the variant A, and asking what it costs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

from domains.products.models import Price
from domains.products.public import offers
from domains.products.queries import prices as queries
from domains.products.queries import products as product_queries
from domains.products.services import price_lists
from domains.products.services import prices as services
from infrastructure.database.contexts import alias_of
from infrastructure.ids import new_id
from infrastructure.money import Money
from infrastructure.outbox.models import OutboxMessage

STAFF = new_id()
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def put(amount_minor: int, *, now: datetime, sku: str = "A", **more: Any) -> Price:
    money = Money(amount_minor, "GBP")
    return services.set_price(sku=sku, money=money, actor_id=STAFF, now=now, **more)


def list_of_prices(code: str, *, now: datetime, **terms: Any) -> None:
    price_lists.create_price_list(code=code, now=now, **{"name": code, "currency": "GBP"} | terms)


def cost(now: datetime, quantity: int = 1, **who: Any) -> int | None:
    """What one costs in an order of so many."""
    found = offers({"A": quantity}, currency="GBP", now=now, **who)
    return found["A"].unit_price.amount_minor if found else None


def shown(now: datetime, **who: Any) -> queries.ShownPrice:
    """What the product's page shows."""
    caller = {"currency": "GBP", "channel": None, "customer_group": None} | who
    prices = queries.prices_for(now=now, **caller)
    product = product_queries.product_shown(
        "white-metal-lantern", prices=prices, locale="en", hidden_too=False
    )
    [variant] = product.variants
    return variant.price


def gbp(amount_minor: int) -> Money:
    return Money(amount_minor, "GBP")


def facts() -> list[tuple[str, dict[str, Any], datetime]]:
    rows = OutboxMessage.objects.using(alias_of("products")).filter(name__startswith="products.pr")
    found = []
    for row in rows.order_by("id"):
        if row.name in ("products.price_changed", "products.price_withdrawn"):
            payload = msgspec.json.decode(row.payload)
            found.append((row.name.removeprefix("products."), payload, row.occurred_at))
    return found[1:]  # without the first price
