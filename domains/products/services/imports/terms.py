"""What all kinds of imports share: on which terms, and how something is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from msgspec import UNSET

from domains.products.rules.imports.reading import Item
from domains.products.rules.imports.rows import TextsRow
from domains.products.rules.texts import TEXT_FIELDS
from domains.products.services.writing import known_locales
from infrastructure.errors import DomainError
from infrastructure.money import InvalidMoney, Money

Mode = Literal["upsert", "create", "update"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """mode: whether what is there already, or what is not there yet, is a fault."""

    mode: Mode = "upsert"
    actor_id: UUID | None
    now: datetime


class Refused(DomainError):
    """A row cannot be taken, for a reason that only files have."""

    code, status, title = "row_refused", 400, "The row cannot be taken"

    def __init__(self, code: str, detail: str, pointer: str = "") -> None:
        super().__init__(detail)
        self.row_code, self.pointer = code, pointer


def refuse(item: Item, refusal: DomainError) -> None:
    """Note at the right rows why an item is not taken."""
    item.outcome = "failed"
    if isinstance(refusal, Refused):
        row, pointer = item.row_at(refusal.pointer)
        item.fault(refusal.row_code, refusal.detail, pointer, row=row)
    elif refusal.errors:
        for error in refusal.errors:
            row, pointer = item.row_at(error.pointer)
            item.fault(error.code, error.detail, pointer, row=row)
    else:
        item.fault(refusal.code, refusal.detail)


def check_mode(mode: Mode, *, is_there: bool, what: str) -> None:
    """Raises Refused."""
    if mode == "create" and is_there:
        raise Refused("already_there", f"There is a {what} like this already.")
    if mode == "update" and not is_there:
        raise Refused("not_there", f"There is no {what} like this yet.")


def required(row: Any, name: str) -> Any:
    """Raises Refused where the row does not say what something new needs."""
    value = getattr(row, name)
    if value is UNSET:
        raise Refused("required", "This field is required for something new.", f"/{name}")
    return value


def given_texts(row: Any) -> dict[str, str]:
    """The texts of the default locale that a row gives; null is none."""
    given = {name: getattr(row, name) for name in TEXT_FIELDS}
    return {name: text or "" for name, text in given.items() if text is not UNSET}


def given_translations(
    translations: Mapping[str, TextsRow | None],
) -> dict[str, dict[str, str] | None]:
    """Raises UnknownLocale."""
    known_locales(translations)
    return {
        locale: None if texts is None else given_texts(texts)
        for locale, texts in translations.items()
    }


def money_of(amount: str, currency: str, pointer: str) -> Money:
    """Raises Refused for more decimals than the currency has, and for what is no currency."""
    try:
        return Money.parse(amount, currency)
    except InvalidMoney as error:
        raise Refused(error.code, str(error), pointer) from error
