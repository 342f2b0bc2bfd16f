"""What a view makes of its parameters."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.conf import settings

from infrastructure.database.contexts import alias_of
from infrastructure.errors import DomainError, FieldError
from infrastructure.http import idempotency
from infrastructure.http.decoding import InvalidParameters
from infrastructure.http.idempotency import IdempotencyKey
from infrastructure.money import InvalidMoney, minor_digits

REPLAYED = {"Idempotency-Replayed": "true"}


def once(
    key: IdempotencyKey | None, create: Callable[[IdempotencyKey | None], UUID]
) -> tuple[UUID, dict[str, str]]:
    """What `create` made, or what an earlier request with the same key did; with the headers."""
    if key is None:
        return create(None), {}
    alias = alias_of("products")
    found = idempotency.find(alias, key)
    if found is not None:
        return found, REPLAYED
    try:
        return create(key), {}
    except DomainError:
        # The twin that was faster may show in any refusal: the key is taken, or the SKU is.
        found = idempotency.find(alias, key)
        if found is None:
            raise
        return found, REPLAYED


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
