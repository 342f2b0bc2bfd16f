"""What the commands of products share: slugs, locales and who was faster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from django.conf import settings
from django.db import IntegrityError

from domains.products.errors import ExternalIdTaken, ProductTypeTaken, SlugTaken, UnknownLocale
from domains.products.rules.attributes import escaped
from infrastructure.database.violations import constraint_of
from infrastructure.errors import DomainError, FieldError

T = TypeVar("T")

ATTEMPTS = 3

_REFUSALS: dict[str, tuple[type[DomainError], str]] = {
    "products_product_slug_unique": (SlugTaken, "Another product has this slug."),
    "products_productslug_unique": (SlugTaken, "The slug leads to another product."),
    "products_category_slug_unique": (SlugTaken, "Another category has this slug."),
    "products_categoryslug_unique": (SlugTaken, "The slug leads to another category."),
    "products_product_external_id_unique": (ExternalIdTaken, "Another product has it."),
    "products_variant_external_id_unique": (ExternalIdTaken, "Another variant has it."),
    "products_category_external_id_unique": (ExternalIdTaken, "Another category has it."),
    "products_producttype_code_unique": (ProductTypeTaken, "Another type has this code."),
}


def again_if_taken(attempt: Callable[[], T], *constraints: str) -> T:
    """Run it again when somebody else took the same unique value in the same moment."""
    for _ in range(ATTEMPTS - 1):
        try:
            return attempt()
        except IntegrityError as error:
            if constraint_of(error) not in constraints:
                raise
    return attempt()


@contextmanager
def refusals(*, but: Iterable[str] = ()) -> Iterator[None]:
    """Around a write: a unique value that somebody else has is refused by its code.

    but: constraints whose IntegrityError goes through.
    """
    try:
        yield
    except IntegrityError as error:
        constraint = constraint_of(error)
        if constraint is None or constraint in but or constraint not in _REFUSALS:
            raise
        refused, detail = _REFUSALS[constraint]
        raise refused(detail) from error


def known_locales(texts: Iterable[str], *, at: str = "texts") -> None:
    """Raises UnknownLocale. Texts of the default locale are the thing's own."""
    others = [locale for locale in settings.LOCALES if locale != settings.DEFAULT_LOCALE]
    faults = [
        FieldError(
            f"/{at}/{escaped(locale)}", UnknownLocale.code, f"There are {', '.join(others)}."
        )
        for locale in texts
        if locale not in others
    ]
    if faults:
        raise UnknownLocale(errors=faults)
