"""What a view makes of its parameters."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.conf import settings

from infrastructure.database.contexts import alias_of
from infrastructure.errors import FieldError
from infrastructure.http import idempotency
from infrastructure.http.decoding import InvalidBody, InvalidParameters
from infrastructure.http.idempotency import IdempotencyKey
from infrastructure.money import InvalidMoney, minor_digits


def once(
    key: IdempotencyKey | None, create: Callable[[IdempotencyKey | None], UUID]
) -> tuple[UUID, dict[str, str]]:
    """What `create` made, or what an earlier request with the same key did; with the headers."""
    return idempotency.once(alias_of("pricing"), key, lambda: create(key), again=lambda made: made)


def currency_of(asked_for: str | None, *, pointer: str) -> str:
    """Raises InvalidParameters, or InvalidBody for a pointer into one, for what is no currency."""
    if asked_for is None:
        return settings.DEFAULT_CURRENCY
    try:
        minor_digits(asked_for)
    except InvalidMoney as error:
        fault = FieldError(pointer, error.code, str(error))
        refusal = InvalidParameters if pointer.startswith("?") else InvalidBody
        raise refusal(errors=[fault]) from error
    return asked_for
