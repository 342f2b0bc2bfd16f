"""Commands of product types."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from domains.products.errors import ProductTypeInUse, ProductTypeNotFound
from domains.products.models import ProductType
from domains.products.queries import types as queries
from domains.products.rules import tags
from domains.products.rules.types import AttributeTerms, Loss, losses
from domains.products.services import listing, shown
from domains.products.services.writing import known_locales, refusals
from infrastructure.database.contexts import atomic
from infrastructure.errors import FieldError
from infrastructure.http.idempotency import IdempotencyKey, duplicates


def create_type(
    *,
    code: str,
    name: str,
    attributes: Sequence[AttributeTerms],
    now: datetime,
    idempotency: IdempotencyKey | None = None,
) -> UUID:
    """Raises InvalidProductType, ProductTypeTaken, UnknownLocale; Duplicate for a key that was
    used before."""
    _known_locales(attributes)
    created = ProductType.create(code=code, name=name, attributes=attributes, now=now)
    with atomic("products"), duplicates(), refusals():
        created.save(also=[idempotency.record(created.id, now)] if idempotency else ())
    return created.id


def edit_type(
    *,
    code: str,
    version: int | None,
    name: str | None = None,
    attributes: Sequence[AttributeTerms] | None = None,
    now: datetime,
) -> None:
    """Change what is given; `attributes`: all of them, those of the same code are the same ones.

    What products have values for cannot be taken away from them: neither an attribute, nor its
    kind or level, nor a choice. Products that lack what is required from now on stay as they are,
    until their attributes or their status are changed.
    Raises ProductTypeNotFound, InvalidProductType, ProductTypeInUse with every use, UnknownLocale,
    ConcurrentModification.
    """
    _known_locales(attributes or ())
    with atomic("products"):
        changed = _locked(code, version)
        if attributes is not None:
            # Whoever checks a product by the type holds it, so what is not used now cannot be
            # before the end of this transaction.
            _refuse_losses(changed, losses(changed.terms, attributes))
        changed.edit(name=name, attributes=attributes, now=now)
        if changed.has_changes:
            changed.save()
            if attributes is not None:
                listing.refresh_of_type(product_type_id=changed.id)
            shown.hint(tags.TYPES)


def remove_type(*, code: str, version: int | None) -> None:
    """Remove a type that no product has, archived ones included.

    Raises ProductTypeNotFound, ProductTypeInUse, ConcurrentModification.
    """
    with atomic("products"):
        unwanted = _locked(code, version)
        if not ProductType.objects.remove_unused(unwanted.id):
            raise ProductTypeInUse(f"There are products of the type {unwanted}.")


def _locked(code: str, version: int | None) -> ProductType:
    found: ProductType | None = ProductType.objects.locked().filter(code=code).first()
    if found is None:
        raise ProductTypeNotFound(f"There is no product type {code}.")
    found.require_version(version)
    return found


def _refuse_losses(product_type: ProductType, lost: Sequence[Loss]) -> None:
    used = queries.used_of(product_type.id, lost) if lost else []
    if used:
        raise ProductTypeInUse(
            errors=[
                FieldError(
                    "/attributes",
                    "attribute_in_use" if loss.choice is None else "choice_in_use",
                    f"Products have a value for {loss.attribute}."
                    if loss.choice is None
                    else f"Products have chosen {loss.choice} for {loss.attribute}.",
                )
                for loss in used
            ]
        )


def _known_locales(attributes: Sequence[AttributeTerms]) -> None:
    for place, attribute in enumerate(attributes):
        known_locales(attribute.names, at=f"attributes/{place}/names")
        for at, choice in enumerate(attribute.choices):
            known_locales(choice.names, at=f"attributes/{place}/choices/{at}/names")
