"""What one page of a product says, saved as a whole or not at all; and many products at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domains.products.models import Category, Product
from domains.products.services.categories import category_ids
from domains.products.services.prices import PriceEdit, edit_prices
from domains.products.services.products import (
    NewVariant,
    ProductEdit,
    edit_product,
)
from domains.products.services.variants import add_variants, held_types
from infrastructure.database.contexts import atomic
from infrastructure.errors import DomainError


@dataclass(frozen=True, kw_only=True, slots=True)
class StatusChange:
    """refusal: why it cannot be; empty where it can."""

    product_id: UUID
    name: str
    old: str
    new: str
    refusal: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ListingChange:
    """What putting a product into a category, or taking it out, comes to; empty is: nothing."""

    product_id: UUID
    name: str
    old: tuple[str, ...]
    new: tuple[str, ...]
    refusal: str = ""


def save_sheet(
    *,
    product_id: UUID,
    version: int,
    changes: ProductEdit,
    added: Sequence[NewVariant],
    prices: Sequence[PriceEdit],
    pointers: Mapping[str, str],
    actor_id: UUID | None,
    now: datetime,
) -> None:
    """Change a product, sell further variants of it and set base prices, in one transaction.

    Raises as `edit_product`, `add_variants` and `edit_prices`.
    """
    with atomic("products"):
        if added:
            # New variants are checked by the type, and types are locked before products.
            category_ids(changes.get("categories", ()))
            code = changes.get("product_type")
            held_types(product_id, *([] if code is None else [code]))
        edit_product(product_id=product_id, version=version, now=now, pointers=pointers, **changes)
        if added:
            add_variants(
                product_id=product_id, version=None, variants=added, actor_id=actor_id, now=now
            )
        if prices:
            edit_prices(edits=prices, actor_id=actor_id, now=now)


def status_changes(
    *, product_ids: Sequence[UUID], status: str, now: datetime
) -> list[StatusChange]:
    """What `change_statuses` would come to now; nothing is written."""
    # In memory only: what is not saved has not happened.
    return _each_to(status, product_ids, lambda product: product.edit(now=now, status=status))


def change_statuses(
    *, product_ids: Sequence[UUID], status: str, now: datetime
) -> list[StatusChange]:
    """Put products on sale, take them off or archive them: each by itself, so that one that is
    refused keeps no other back."""

    def change(product: Product) -> object:
        return edit_product(product_id=product.id, version=None, now=now, status=status)

    return _each_to(status, product_ids, change)


def _each_to(
    status: str, product_ids: Sequence[UUID], change: Callable[[Product], object]
) -> list[StatusChange]:
    """What comes of it where each product that has another status is changed."""
    changes = []
    for product in _whole(product_ids):
        before, refusal = product.status, ""
        try:
            if before != status:
                change(product)
        except DomainError as error:
            refusal = _sentence(error)
        changes.append(
            StatusChange(
                product_id=product.id, name=product.name, old=before, new=status, refusal=refusal
            )
        )
    return changes


def listing_changes(
    *, product_ids: Sequence[UUID], category_id: UUID, add: bool
) -> list[ListingChange]:
    """What `relist_products` would come to for these products. add: or else take them out."""
    names: dict[UUID, str] = {}
    products = list(
        Product.objects.filter(pk__in=product_ids)
        .order_by("name", "pk")
        .prefetch_related("category_rows__category")
    )
    category = Category.objects.get(pk=category_id)
    changes = []
    for product in products:
        rows = list(product.category_rows.all())
        names |= {row.category_id: row.category.name for row in rows}
        before = [row.category_id for row in rows]
        after = [other for other in before if other != category_id]
        if add:
            after = before if category_id in before else [*before, category_id]
        names[category_id] = category.name
        archived = product.status == Product.Status.ARCHIVED
        changes.append(
            ListingChange(
                product_id=product.id,
                name=product.name,
                old=tuple(names[one] for one in before),
                new=tuple(names[one] for one in after),
                refusal=f"{product.name} is archived." if archived else "",
            )
        )
    return changes


def _whole(product_ids: Sequence[UUID]) -> list[Product]:
    products: list[Product] = list(
        Product.objects.filter(pk__in=product_ids)
        .order_by("name", "pk")
        .select_related("product_type")
        .prefetch_related("variant_rows", "product_type__attribute_rows")
    )
    return products


def _sentence(error: DomainError) -> str:
    return " ".join(fault.detail for fault in error.errors) or error.detail
