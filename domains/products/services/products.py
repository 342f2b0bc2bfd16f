"""Commands of products."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, TypedDict, Unpack
from uuid import UUID

from domains.products.errors import SlugTaken, UnknownProductType
from domains.products.models import Category, Product, ProductType
from domains.products.models.variants import VariantChanges
from domains.products.rules import slugs as slug_rules
from domains.products.rules.texts import Texts
from domains.products.services.categories import category_ids
from domains.products.services.listing import refresh_products
from domains.products.services.variants import (
    NewVariant,
    locked_product,
    refused_skus,
    sell,
    variant_of,
)
from domains.products.services.writing import again_if_taken, known_locales, refusals
from infrastructure.database.contexts import atomic
from infrastructure.errors import FieldError
from infrastructure.http.idempotency import IdempotencyKey, duplicates
from infrastructure.ids import new_id

BATCH = 500
SLUGS = ("products_product_slug_unique", "products_productslug_unique")

__all__ = [
    "NewProduct",
    "NewVariant",
    "ProductEdit",
    "archive_product",
    "create_product",
    "create_products",
    "edit_product",
    "free_slugs",
    "relist_products",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class NewProduct:
    """slug: made from the name where it is None. product_type: its code. texts: per locale."""

    name: str
    variants: tuple[NewVariant, ...]
    description: str = ""
    status: str = "draft"
    categories: tuple[str, ...] = ()
    """Slugs of categories, or `external:` and their external ids; the first is the main one."""
    slug: str | None = None
    external_id: str | None = None
    product_type: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    seo_title: str = ""
    seo_description: str = ""
    texts: Mapping[str, Texts] = field(default_factory=dict)


class ProductEdit(TypedDict, total=False):
    """What can be changed of a product; `ProductChanges`, with codes and slugs for ids."""

    slug: str
    external_id: str | None
    product_type: str | None
    name: str
    description: str
    seo_title: str
    seo_description: str
    texts: Mapping[str, Texts | None]
    attributes: Mapping[str, Any]
    categories: Sequence[str]
    status: str
    variants: Mapping[str, VariantChanges]


def create_product(
    *,
    product: NewProduct,
    actor_id: UUID | None,
    now: datetime,
    idempotency: IdempotencyKey | None = None,
) -> UUID:
    """Put a product into the catalogue, with its prices and an empty stock item per variant.

    Raises NothingToSell, InvalidProduct, SkuTaken, SlugTaken, ExternalIdTaken, UnknownCategory,
    UnknownProductType, UnknownLocale, NegativePrice; Duplicate for a key that was used before.
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
    now: datetime,
    pointers: Mapping[str, str] | None = None,
    **changes: Unpack[ProductEdit],
) -> tuple[str, ...]:
    """Change what is given. `version`: the one the change is based on, None for whatever it is.

    Returns the names of what is different now; where there are none nothing is written.
    pointers: where the input tells of a SKU, for the faults of its variants.
    Raises ProductNotFound, ProductArchived, VariantNotFound, LastVariant, InvalidProduct,
    SlugTaken, ExternalIdTaken, UnknownCategory, UnknownProductType, UnknownLocale,
    ConcurrentModification.
    """
    known_locales(changes.get("texts", ()))
    wanted: Any = dict(changes)
    with atomic("products"), refusals():
        if "categories" in wanted:
            names = wanted.pop("categories")
            found = category_ids(names)
            wanted["category_ids"] = [found[name] for name in names]
        if "product_type" in wanted:
            code = wanted["product_type"]
            wanted["product_type"] = _types([code])[code]
            product = locked_product(product_id, version)
        else:
            checked = bool(_CHECKED_BY_TYPE & wanted.keys())
            product = locked_product(product_id, version, with_type=checked)
        changed = product.edit(now=now, pointers=pointers, **wanted)
        if changed:
            product.save()
            refresh_products([product_id])
        return changed


def archive_product(*, product_id: UUID, version: int | None, now: datetime) -> None:
    """Take a product out of the catalogue; once archived it stays so, and this does nothing.

    Raises ProductNotFound, ConcurrentModification.
    """
    with atomic("products"):
        product = locked_product(product_id, version)
        if product.status != Product.Status.ARCHIVED:
            product.archive(now=now)
            product.save()
            refresh_products([product_id])


# A change of one of these is checked by the type, which therefore has to stay as it is.
_CHECKED_BY_TYPE = {"attributes", "status", "variants"}


def relist_products(
    *,
    category_id: UUID,
    add: Collection[UUID] = (),
    remove: Collection[UUID] = (),
    now: datetime,
) -> tuple[int, int]:
    """List products in a category, behind those they are in already, or list them no more.

    Returns how many were not in it before, and how many were. What is archived or does not exist
    is left out. A batch is one transaction, in which one statement writes all of its products.
    Raises CategoryNotFound.
    """
    added = removed = 0
    rest = iter(sorted({*add, *remove}))
    wanted, unwanted = set(add), set(remove)
    while batch := list(islice(rest, BATCH)):
        with atomic("products"):
            Category.objects.staying(category_id)
            products = Product.objects.locked().filter(pk__in=batch)
            changed = []
            for product in products.exclude(status=Product.Status.ARCHIVED).prefetch_related(
                "category_rows"
            ):
                before = [link.category_id for link in product.categories]
                after = [other for other in before if other != category_id]
                if product.id in wanted and product.id not in unwanted:
                    after = before if category_id in before else [*before, category_id]
                if product.edit(now=now, category_ids=after):
                    changed.append(product)
                    added += len(after) > len(before)
                    removed += len(after) < len(before)
            Product.objects.save_all(changed)
            refresh_products([product.id for product in changed])
    return added, removed


def _create(
    news: Sequence[NewProduct],
    *,
    actor_id: UUID | None,
    now: datetime,
    idempotency: IdempotencyKey | None,
) -> list[UUID]:
    for new in news:
        known_locales(new.texts)
    skus = [variant.sku for new in news for variant in new.variants]

    def create() -> list[UUID]:
        with atomic("products"), duplicates(), refusals(but=SLUGS), refused_skus(skus):
            categories = category_ids([name for new in news for name in new.categories])
            types = _types({new.product_type for new in news})
            slugs = _slugs_for(news)
            products = [
                _product_of(new, slug, categories, types, now)
                for new, slug in zip(news, slugs, strict=True)
            ]
            if idempotency is not None:
                products[0].save(also=[idempotency.record(products[0].id, now)])
            else:
                Product.objects.add_all(products)
            pairs = [
                (variant, sold)
                for product, new in zip(products, news, strict=True)
                for variant, sold in zip(product.variants, new.variants, strict=True)
            ]
            sell(pairs, actor_id=actor_id, now=now)
            ids = [product.id for product in products]
            refresh_products(ids)
        return ids

    return again_if_taken(create, *SLUGS)


def _types(codes: Collection[str | None]) -> dict[str | None, ProductType | None]:
    """Product types by their codes, None for None; they stay as they are until the transaction
    ends. Raises UnknownProductType."""
    wanted = {code for code in codes if code is not None}
    found: dict[str | None, ProductType | None] = {None: None}
    if wanted:
        found.update(ProductType.objects.staying(wanted))
    if missing := sorted(wanted - found.keys()):
        detail = f"There is no product type {', '.join(missing)}."
        fault = FieldError("/product_type", UnknownProductType.code, detail)
        raise UnknownProductType(detail, errors=[fault])
    return found


def _product_of(
    new: NewProduct,
    slug: str,
    categories: Mapping[str, UUID],
    types: Mapping[str | None, ProductType | None],
    now: datetime,
) -> Product:
    return Product.create(
        name=new.name,
        slug=slug,
        description=new.description,
        status=new.status,
        variants=[variant_of(variant) for variant in new.variants],
        category_ids=[categories[name] for name in new.categories],
        now=now,
        seo_title=new.seo_title,
        seo_description=new.seo_description,
        external_id=new.external_id,
        product_type=types[new.product_type],
        attributes=new.attributes,
        texts=new.texts,
    )


def _slugs_for(news: Sequence[NewProduct]) -> list[str]:
    """Raises SlugTaken where one that was asked for is not free."""
    asked = {new.slug for new in news if new.slug is not None}
    if taken := sorted(Product.objects.slugs_among(asked)) if asked else []:
        raise SlugTaken(f"{', '.join(taken)} leads to another product.")
    made = iter(free_slugs([new.name for new in news if new.slug is None], but=asked))
    return [new.slug or next(made) for new in news]


def free_slugs(names: Sequence[str], *, but: Collection[str] = ()) -> list[str]:
    """A slug per name that is free now; the unique index decides who really gets it.

    but: what is not to be used.
    """
    return slug_rules.free_slugs(
        names,
        taken_among=Product.objects.slugs_among,
        otherwise=lambda: new_id().hex[-11:],
        reserved=but,
    )
