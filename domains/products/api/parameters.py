"""What a view makes of its parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse

from domains.products.queries.prices import PricesFor, ShownPrice, prices_for
from infrastructure.auth.actor import Actor
from infrastructure.database.contexts import alias_of
from infrastructure.errors import FieldError
from infrastructure.http import idempotency
from infrastructure.http.decoding import InvalidParameters
from infrastructure.http.idempotency import IdempotencyKey
from infrastructure.http.views import APIView
from infrastructure.money import InvalidMoney, minor_digits


def once(
    key: IdempotencyKey | None, create: Callable[[IdempotencyKey | None], UUID]
) -> tuple[UUID, dict[str, str]]:
    """What `create` made, or what an earlier request with the same key did; with the headers."""
    return idempotency.once(alias_of("products"), key, lambda: create(key), again=lambda made: made)


def prices_of(
    *, currency: str | None, channel: str | None = None, actor: Actor | None, now: datetime
) -> PricesFor:
    """The prices that the caller is shown: those of their group of customers, on this channel.

    Raises InvalidParameters, UnknownChannel.
    """
    return prices_for(
        currency=currency_of(currency),
        channel=channel,
        customer_group=None if actor is None else actor.customer_group,
        now=now,
    )


def next_change(prices: Iterable[ShownPrice]) -> datetime | None:
    """When the first of these prices may turn by itself; None for never."""
    return min((price.changes_at for price in prices if price.changes_at), default=None)


class Elsewhere(Exception):
    """What is read has a new address."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


def moved(view: APIView, path: str) -> HttpResponse:
    """To where something has gone, with the same parameters."""
    parameters = view.request.META.get("QUERY_STRING")
    return view.answer(
        status=301, headers={"Location": f"{path}?{parameters}" if parameters else path}
    )


def locale_of(asked_for: str | None) -> str:
    """Raises InvalidParameters for what the shop has no texts in."""
    if asked_for is None:
        return settings.DEFAULT_LOCALE
    if asked_for not in settings.LOCALES:
        detail = f"There are {', '.join(settings.LOCALES)}."
        fault = FieldError("?locale", "unknown_locale", detail)
        raise InvalidParameters(errors=[fault])
    return asked_for


def currency_of(asked_for: str | None) -> str:
    """Raises InvalidParameters for what is no currency."""
    if asked_for is None:
        return settings.DEFAULT_CURRENCY
    try:
        minor_digits(asked_for)
    except InvalidMoney as error:
        fault = FieldError("?currency", error.code, str(error))
        raise InvalidParameters(errors=[fault]) from error
    return asked_for
