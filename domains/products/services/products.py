"""Commands of products."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from uuid import UUID

from django.db import IntegrityError

from domains.products.errors import ProductNotFound, SkuTaken
from domains.products.models import Price, Product, StockItem, Variant
from domains.products.rules import slugs as slug_rules
from domains.products.services.categories import category_ids
from domains.products.services.writing import again_if_taken, constraint_of, expect
from infrastructure.database.contexts import atomic
from infrastructure.http.idempotency import IdempotencyKey, duplicates
from infrastructure.ids import new_id
from infrastructure.money import Money

BATCH = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class NewVariant:
    """prices: at most one per currency. backorder_limit: how much may be sold beyond the stock."""

    sku: str
    prices: tuple[Money, ...] = ()
    name: str = ""
    options: dict[str, str] = field(default_factory=dict)
    unit: str = "piece"
    backorder_limit: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class NewProduct:
    name: str
    variants: tuple[NewVariant, ...]
    description: str = ""
    status: str = "draft"
    categories: tuple[str, ...] = ()
    """Slugs of categories."""


def create_product(
    *,
    product: NewProduct,
    actor_id: UUID | None,
    now: datetime,
    idempotency: IdempotencyKey | None = None,
) -> UUID:
    """Put a product into the catalogue, with its prices and an empty stock item per variant.

    Raises NothingToSell, SkuTaken, UnknownCategory, NegativePrice; Duplicate for a key that was
    used before.
    """
    return _create([product], actor_id=actor_id, now=now, idempotency=idempotency)[0]


def create_products(
    *, products: Sequence[NewProduct], actor_id: UUID | None = None, now: datetime
) -> list[UUID]:
    """Create many, in batches: each batch wholly or not at all. Raises as `create_product`."""
    ids: list[UUID] = []
    rest = iter(products)
    while batch := list(islice(rest, BATCH)):
        ids += _create(batch, actor_id=actor_id, now=now, idempotency=None)
    return ids


def edit_product(
    *,
    product_id: UUID,
    version: int | None,
    name: str | None = None,
    description: str | None = None,
    status: str | None = None,
    categories: Sequence[str] | None = None,
    now: datetime,
) -> None:
    """Change what is given. `version`: the one the change is based on, None for whatever it is.

    Raises ProductNotFound, ProductArchived, UnknownCategory, ConcurrentModification.
    """
    listed_in = None
    if categories is not None:
        found = category_ids(categories)
        listed_in = [found[slug] for slug in categories]
    product = _product(product_id, version)
    product.edit(
        name=name,
        description=description,
        status=status,
        category_ids=listed_in,
        now=now,
    )
    product.save()


def archive_product(*, product_id: UUID, version: int | None, now: datetime) -> None:
    """Take a product out of the catalogue; once archived it stays so, and this does nothing.

    Raises ProductNotFound, ConcurrentModification.
    """
    product = _product(product_id, version)
    if product.status != Product.Status.ARCHIVED:
        product.archive(now=now)
        product.save()


def _create(
    news: Sequence[NewProduct],
    *,
    actor_id: UUID | None,
    now: datetime,
    idempotency: IdempotencyKey | None,
) -> list[UUID]:
    categories = category_ids([slug for new in news for slug in new.categories])

    def create() -> list[UUID]:
        slugs = _free_slugs([new.name for new in news])
        products = [
            _product_of(new, slug, categories, now) for new, slug in zip(news, slugs, strict=True)
        ]
        pairs = [
            (variant, sold)
            for product, new in zip(products, news, strict=True)
            for variant, sold in zip(product.variants, new.variants, strict=True)
        ]
        prices = [
            Price.first(
                variant_id=variant.id, sku=variant.sku, money=money, actor_id=actor_id, now=now
            )
            for variant, sold in pairs
            for money in sold.prices
        ]
        stock = [
            StockItem.empty(
                variant_id=variant.id, sku=variant.sku, backorder_limit=sold.backorder_limit
            )
            for variant, sold in pairs
        ]
        with atomic("products"), duplicates(), _sku_refusals([v.sku for v, _ in pairs]):
            if idempotency is not None:
                products[0].save(also=[idempotency.record(products[0].id, now)])
            else:
                Product.objects.add_all(products)
            Price.objects.add_all(prices)
            StockItem.objects.add_all(stock)
        return [product.id for product in products]

    return again_if_taken(create, "products_product_slug_unique")


def _product_of(new: NewProduct, slug: str, categories: dict[str, UUID], now: datetime) -> Product:
    return Product.create(
        name=new.name,
        slug=slug,
        description=new.description,
        status=new.status,
        variants=[
            Variant(sku=v.sku, name=v.name, options=v.options, unit=Variant.Unit(v.unit).value)
            for v in new.variants
        ],
        category_ids=[categories[slug] for slug in new.categories],
        now=now,
    )


def _product(product_id: UUID, version: int | None) -> Product:
    product = Product.objects.filter(pk=product_id).first()
    if product is None:
        raise ProductNotFound(f"There is no product {product_id}.")
    expect(product.version, version, product)
    return product


def _free_slugs(names: Sequence[str]) -> list[str]:
    """A slug per name that is free now; the unique index decides who really gets it."""
    bases = [slug_rules.slug_of(name) for name in names]
    taken = Product.objects.slugs_among(set(bases))
    crowded = [base for base, n in Counter(bases).items() if n > 1 or base in taken]
    numbered = [slug for base in crowded for slug in slug_rules.numbered_slugs(base)]
    taken |= Product.objects.slugs_among(numbered)
    slugs = []
    for base in bases:
        slug = slug_rules.free_slug(base, taken, otherwise=new_id().hex[-11:])
        taken.add(slug)
        slugs.append(slug)
    return slugs


@contextmanager
def _sku_refusals(skus: Sequence[str]) -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        if constraint_of(error) == "products_variant_sku_unique":
            detail = error.__cause__.diag.message_detail or ""  # type: ignore[union-attr]
            taken = next((sku for sku in skus if f"=({sku}) " in detail), "")
            raise SkuTaken(f"The SKU {taken} exists already.") from error
        raise
