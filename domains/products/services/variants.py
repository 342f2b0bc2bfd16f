"""Commands of the variants of a product."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Unpack
from uuid import UUID

from django.db import IntegrityError

from domains.products.errors import ProductNotFound, SkuTaken, VariantNotFound
from domains.products.models import Price, Product, ProductType, StockItem, Variant
from domains.products.models.variants import VariantChanges
from domains.products.services.listing import refresh_products
from domains.products.services.writing import refusals
from infrastructure.aggregates import ConcurrentModification
from infrastructure.database.contexts import atomic
from infrastructure.database.violations import constraint_of
from infrastructure.http.idempotency import IdempotencyKey, duplicates
from infrastructure.money import Money


@dataclass(frozen=True, kw_only=True, slots=True)
class NewVariant:
    """prices: at most one per currency. backorder_limit: how much may be sold beyond the stock.

    weight_g, length_mm, width_mm, height_mm: of one unit, packed.
    """

    sku: str
    prices: tuple[Money, ...] = ()
    name: str = ""
    options: dict[str, str] = field(default_factory=dict)
    unit: str = "piece"
    backorder_limit: int = 0
    external_id: str | None = None
    barcode: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    weight_g: int | None = None
    length_mm: int | None = None
    width_mm: int | None = None
    height_mm: int | None = None
    tax_class: str = "standard"


def add_variants(
    *,
    product_id: UUID,
    version: int | None,
    variants: Sequence[NewVariant],
    actor_id: UUID | None,
    now: datetime,
    idempotency: IdempotencyKey | None = None,
) -> None:
    """Sell further variants of a product, each with its prices and an empty stock item.

    Raises ProductNotFound, ProductArchived, InvalidProduct, SkuTaken, ExternalIdTaken,
    NegativePrice, ConcurrentModification; Duplicate for a key that was used before.
    """
    skus = [variant.sku for variant in variants]
    with atomic("products"), duplicates(), refusals(), refused_skus(skus):
        product = locked_product(product_id, version, with_type=True)
        added = [variant_of(new) for new in variants]
        product.add_variants(added, now=now)
        product.save(also=[idempotency.record(product.id, now)] if idempotency else ())
        sell(list(zip(added, variants, strict=True)), actor_id=actor_id, now=now)
        refresh_products([product.id])


def edit_variant(
    *, sku: str, version: int | None, now: datetime, **changes: Unpack[VariantChanges]
) -> UUID:
    """Change what is given of one variant. Returns the id of its product, whose version counts.

    Raises VariantNotFound, LastVariant, InvalidProduct,
    ProductArchived, ExternalIdTaken, ConcurrentModification.
    """
    with atomic("products"), refusals():
        product = locked_product(product_of(sku), version, with_type=True)
        if product.edit(now=now, pointers={sku: ""}, variants={sku: changes}):
            product.save()
            refresh_products([product.id])
        return product.id


def retire_variant(*, sku: str, version: int | None, now: datetime) -> UUID:
    """Take a variant off sale; orders, stock and ledger keep it. Once retired, does nothing.

    Raises VariantNotFound, LastVariant, ProductArchived, ConcurrentModification.
    """
    return edit_variant(sku=sku, version=version, now=now, retired=True)


def product_of(sku: str) -> UUID:
    """The id of the product that a SKU belongs to. Raises VariantNotFound."""
    found: UUID | None = (
        Variant.objects.filter(sku=sku).values_list("product_id", flat=True).first()
    )
    if found is None:
        raise VariantNotFound(f"There is no SKU {sku}.")
    return found


# What the commands of products share with these


def locked_product(product_id: UUID, version: int | None, *, with_type: bool = False) -> Product:
    """Against other commands, until the transaction ends.

    with_type: the product is going to be checked by its type, which stays as it is. Types are
    locked before products, since a change of a type reaches for its products.
    Raises ProductNotFound, ConcurrentModification.
    """
    products = Product.objects.filter(pk=product_id)
    if with_type:
        held = held_types(product_id)
    product: Product | None = products.locked().first()
    if product is None:
        raise ProductNotFound(f"There is no product {product_id}.")
    product.require_version(version)
    if with_type and product.product_type_id is not None:
        if product.product_type_id not in held:
            raise ConcurrentModification(f"{product} was given another type meanwhile.")
        product.product_type = held[product.product_type_id]
    return product


def held_types(product_id: UUID, *codes: str) -> dict[UUID, ProductType]:
    """The type of a product, as it is now, and those of these codes, by their ids. They stay as
    they are until the transaction ends."""
    typed = Product.objects.filter(pk=product_id, product_type__isnull=False)
    type_ids = list(typed.values_list("product_type", flat=True))
    found = ProductType.objects.staying(codes, ids=type_ids)
    return {each.id: each for each in found.values()}


def variant_of(new: NewVariant) -> Variant:
    return Variant(
        sku=new.sku,
        external_id=new.external_id,
        barcode=new.barcode,
        name=new.name,
        options=new.options,
        attributes=dict(new.attributes),
        unit=Variant.Unit(new.unit).value,
        weight_g=new.weight_g,
        length_mm=new.length_mm,
        width_mm=new.width_mm,
        height_mm=new.height_mm,
        tax_class=new.tax_class,
    )


def sell(
    pairs: Sequence[tuple[Variant, NewVariant]], *, actor_id: UUID | None, now: datetime
) -> None:
    """Give new variants their prices and their empty stock items."""
    prices = [
        Price.first(variant_id=variant.id, sku=variant.sku, money=money, actor_id=actor_id, now=now)
        for variant, new in pairs
        for money in new.prices
    ]
    stock = [
        StockItem.empty(variant_id=variant.id, sku=variant.sku, backorder_limit=new.backorder_limit)
        for variant, new in pairs
    ]
    Price.objects.add_all(prices)
    StockItem.objects.add_all(stock)


@contextmanager
def refused_skus(skus: Sequence[str]) -> Iterator[None]:
    """Around a write: a SKU that exists already is refused by its code."""
    try:
        yield
    except IntegrityError as error:
        if constraint_of(error) == "products_variant_sku_unique":
            detail = error.__cause__.diag.message_detail or ""  # type: ignore[union-attr]
            taken = next((sku for sku in skus if f"=({sku}) " in detail), "")
            raise SkuTaken(f"The SKU {taken} exists already.") from error
        raise
