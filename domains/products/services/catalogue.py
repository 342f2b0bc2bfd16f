"""Commands of the catalogue: products, their prices, the tree of categories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar
from uuid import UUID

from django.db import IntegrityError

from domains.products import rules
from domains.products.errors import (
    CategoryNotFound,
    ProductNotFound,
    SkuTaken,
    UnknownCategory,
    VariantNotFound,
)
from domains.products.models import Category, Price, Product, StockItem, Variant
from infrastructure.aggregates import ConcurrentModification
from infrastructure.database.contexts import atomic
from infrastructure.errors import FieldError
from infrastructure.http.idempotency import IdempotencyKey, duplicates
from infrastructure.ids import new_id
from infrastructure.money import Money

T = TypeVar("T")

BATCH = 500
ATTEMPTS = 3


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
    category_ids = None
    if categories is not None:
        found = _category_ids(categories)
        category_ids = [found[slug] for slug in categories]
    product = _product(product_id, version)
    product.edit(
        name=name,
        description=description,
        status=status,
        category_ids=category_ids,
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


def set_price(*, sku: str, money: Money, actor_id: UUID | None, now: datetime) -> Price:
    """What a variant costs in a currency from now on. Raises VariantNotFound, NegativePrice."""

    def change() -> Price:
        with atomic("products"):
            variant_id = Variant.objects.filter(sku=sku).values_list("pk", flat=True).first()
            if variant_id is None:
                raise VariantNotFound(f"There is no SKU {sku}.")
            price = Price.objects.locked(variant_id=variant_id, currency=money.currency)
            if price is None:
                price = Price.first(
                    variant_id=variant_id, sku=sku, money=money, actor_id=actor_id, now=now
                )
                price.save()
            elif price.money != money:
                price.change(money=money, actor_id=actor_id, now=now)
                price.save()
            return price

    return _again_if_taken(change, "products_price_variant_currency_unique")


def create_category(
    *,
    name: str,
    parent: str | None,
    now: datetime,
    idempotency: IdempotencyKey | None = None,
) -> UUID:
    """Add a category below another one, which `parent` is the slug of, or at the root.

    Raises UnknownCategory, CategoryTooDeep; Duplicate for a key that was used before.
    """

    def create() -> UUID:
        with atomic("products"), duplicates():
            above = None
            if parent is not None:
                # Locked, so that it cannot be moved while its path is being continued.
                above = Category.objects.locked().filter(slug=parent).first()
                if above is None:
                    raise _unknown([parent], "/parent")
            base = rules.slug_of(name)
            slugs = [base, *rules.numbered_slugs(base)]
            taken = set(Category.objects.filter(slug__in=slugs).values_list("slug", flat=True))
            slug = rules.free_slug(base, taken, otherwise=new_id().hex[-11:])
            category = Category.create(name=name, slug=slug, parent=above, now=now)
            category.save(also=[idempotency.record(category.id, now)] if idempotency else ())
            return category.id

    return _again_if_taken(create, "products_category_slug_unique")


def edit_category(
    *,
    category_id: UUID,
    version: int | None,
    name: str | None = None,
    parent: str | None = None,
    to_root: bool = False,
) -> None:
    """Rename a category, or hang it with all below it somewhere else. The slug stays.

    parent: slug of the new parent; to_root: no parent any more.
    Raises CategoryNotFound, UnknownCategory, CategoryCycle, CategoryTooDeep,
    ConcurrentModification.
    """
    with atomic("products"):
        if parent is None and not to_root:
            category = Category.objects.locked().filter(pk=category_id).first()
            above = None
        else:
            # Two moves at once could make a circle that neither of them sees: one at a time.
            tree = {found.id: found for found in Category.objects.locked()}
            category = tree.get(category_id)
            above = next((c for c in tree.values() if c.slug == parent), None)
            if parent is not None and above is None:
                raise _unknown([parent], "/parent")
        if category is None:
            raise CategoryNotFound(f"There is no category {category_id}.")
        _expect(category.version, version, category)
        old_path = category.path
        if name is not None:
            category.rename(name=name)
        if above is not None or to_root:
            below = max(found.depth for found in tree.values() if found.lies_in(category))
            category.move(parent=above, levels_below=below - category.depth)
        category.save()
        if category.path != old_path:
            Category.objects.move_subtree(old_path=old_path, new_path=category.path)


def _create(
    news: Sequence[NewProduct],
    *,
    actor_id: UUID | None,
    now: datetime,
    idempotency: IdempotencyKey | None,
) -> list[UUID]:
    categories = _category_ids([slug for new in news for slug in new.categories])

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

    return _again_if_taken(create, "products_product_slug_unique")


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
    _expect(product.version, version, product)
    return product


def _expect(actual: int, expected: int | None, thing: Any) -> None:
    if expected is not None and actual != expected:
        raise ConcurrentModification(f"{thing} is at version {actual}, not {expected}.")


def _category_ids(slugs: Sequence[str]) -> dict[str, UUID]:
    """Category slugs and their ids. Raises UnknownCategory."""
    if not slugs:
        return {}
    found = dict(Category.objects.filter(slug__in=set(slugs)).values_list("slug", "pk"))
    missing = [slug for slug in dict.fromkeys(slugs) if slug not in found]
    if missing:
        raise _unknown(missing, "/categories")
    return found


def _unknown(slugs: Sequence[str], pointer: str) -> UnknownCategory:
    return UnknownCategory(
        errors=[
            FieldError(pointer, UnknownCategory.code, f"There is no category {slug}.")
            for slug in slugs
        ]
    )


def _free_slugs(names: Sequence[str]) -> list[str]:
    """A slug per name that is free now; the unique index decides who really gets it."""
    bases = [rules.slug_of(name) for name in names]
    taken = Product.objects.slugs_among(set(bases))
    crowded = [base for base, n in Counter(bases).items() if n > 1 or base in taken]
    numbered = [slug for base in crowded for slug in rules.numbered_slugs(base)]
    taken |= Product.objects.slugs_among(numbered)
    slugs = []
    for base in bases:
        slug = rules.free_slug(base, taken, otherwise=new_id().hex[-11:])
        taken.add(slug)
        slugs.append(slug)
    return slugs


def _again_if_taken(attempt: Callable[[], T], constraint: str) -> T:
    """Run it again when somebody else took the same unique value in the same moment."""
    for _ in range(ATTEMPTS - 1):
        try:
            return attempt()
        except IntegrityError as error:
            if _constraint_of(error) != constraint:
                raise
    return attempt()


@contextmanager
def _sku_refusals(skus: Sequence[str]) -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        if _constraint_of(error) == "products_variant_sku_unique":
            detail = error.__cause__.diag.message_detail or ""  # type: ignore[union-attr]
            taken = next((sku for sku in skus if f"=({sku}) " in detail), "")
            raise SkuTaken(f"The SKU {taken} exists already.") from error
        raise


def _constraint_of(error: IntegrityError) -> str | None:
    return getattr(getattr(error.__cause__, "diag", None), "constraint_name", None)
