"""Products as a staff member edits them, and as they are shown."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from domains.products.queries import products as queries
from domains.products.queries.categories import Moved
from domains.products.queries.prices import PricesFor
from domains.products.rules.attributes import Kind, Level
from domains.products.rules.types import AttributeTerms, ChoiceTerms
from infrastructure.database.contexts import alias_of
from infrastructure.outbox.models import OutboxMessage

Edit = Callable[..., tuple[str, ...]]


def terms(code: str, kind: Kind = Kind.TEXT, **fields: Any) -> AttributeTerms:
    choices = tuple(ChoiceTerms(code=c, name=c.title()) for c in fields.pop("choices", ()))
    return AttributeTerms(code=code, name=code.title(), kind=kind, choices=choices, **fields)


MATERIAL = terms("material", Kind.CHOICE, choices=("glass", "steel"), required=True)
COLOURS = terms("colours", Kind.MULTI_CHOICE, choices=("red", "blue"))
FINISH = terms("finish", level=Level.VARIANT)


def shown(name: UUID | str, now: datetime, *, locale: str = "en") -> queries.ProductDetail:
    prices = PricesFor(currency="GBP", now=now)
    found = queries.product_shown(str(name), prices=prices, locale=locale, hidden_too=True)
    assert not isinstance(found, Moved)
    return found


def facts(product_id: UUID) -> list[str]:
    messages = OutboxMessage.objects.using(alias_of("products")).filter(key=str(product_id))
    return [message.name.split(".")[1] for message in messages.order_by("id")]
