"""The catalogue as rows of files, in pages: what an import reads back without a change.

Every kind has an order that does not depend on ids where these would be others in another shop. A
page begins behind the key that the page before it ended with, as the database compares keys: it
sorts texts by rules of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any
from uuid import UUID

from django.db.models import Prefetch, Q, QuerySet

from domains.products.models import (
    Category,
    Price,
    PriceEntry,
    Product,
    ProductCategory,
    ProductType,
    StockItem,
)
from domains.products.queries.trees import Branch, branches
from domains.products.rules.prices import Kind, counts_from
from domains.products.rules.slugs import EXTERNAL
from domains.products.rules.texts import TEXT_FIELDS
from infrastructure.database.contexts import connection_of
from infrastructure.money import Money

PAGE = 500

# What is archived does not come back, so it only travels where it is asked for.
_SHOWN = ("draft", "active")

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """rows: as JSON Lines has them. last: where the next page begins behind."""

    rows: list[Row]
    last: str


def pages(
    kind: str, *, after: str | None, now: datetime, filters: Mapping[str, Any]
) -> Iterator[Page]:
    """filters: those of `services.exports.FILTERS` that belong to the kind."""
    return _PAGES[kind](after, now, filters)


def total(kind: str, filters: Mapping[str, Any]) -> int:
    """About how many rows there will be."""
    if kind == "products":
        return _products(filters).count()
    counted: Any = {
        "categories": Category,
        "product-types": ProductType,
        "prices": PriceEntry,
        "stock": StockItem,
    }[kind]
    return int(counted.objects.count())


# Products

_FAMILIES = """
    SELECT 'locale', locale FROM products_producttext
    UNION SELECT 'attr', jsonb_object_keys(attributes) FROM products_product
    UNION SELECT 'variant_attr', jsonb_object_keys(attributes) FROM products_variant
    UNION SELECT 'option', jsonb_object_keys(options) FROM products_variant
    UNION SELECT 'price', currency FROM products_price WHERE price_list_id IS NULL
    UNION SELECT 'category_locale', locale FROM products_categorytext
    UNION SELECT 'attribute_locale', jsonb_object_keys(names) FROM products_attribute
"""


def families() -> dict[str, list[str]]:
    """The parameters that columns of CSV have somewhere in the catalogue; one statement."""
    found: dict[str, list[str]] = defaultdict(list)
    for family, parameter in connection_of("products").fetch(_FAMILIES, []):
        found[family].append(parameter)
    return {family: sorted(parameters) for family, parameters in found.items()}


def _product_pages(after: str | None, now: datetime, filters: Mapping[str, Any]) -> Iterator[Page]:
    wanted = _whole(_products(filters)).order_by("pk")
    while True:
        found = list((wanted.filter(pk__gt=UUID(after)) if after else wanted)[:PAGE])
        if not found:
            return
        after = str(found[-1].pk)
        yield Page(list(_product_rows(found, now).values()), after)


def _whole(products: QuerySet[Product]) -> QuerySet[Product]:
    links = ProductCategory.objects.select_related("category").order_by("position", "id")
    return products.select_related("product_type").prefetch_related(
        "variant_rows", "text_rows", Prefetch("category_rows", queryset=links)
    )


def _product_rows(products: Sequence[Product], now: datetime) -> dict[UUID, Row]:
    prices = _regular_prices([v.id for product in products for v in product.variants], now)
    return {product.id: _product_row(product, prices) for product in products}


def _products(filters: Mapping[str, Any]) -> Any:
    products = Product.objects.filter(status__in=filters.get("status") or _SHOWN)
    if filters.get("product_type"):
        products = products.filter(product_type__code=filters["product_type"])
    if filters.get("updated_since"):
        products = products.filter(updated_at__gte=datetime.fromisoformat(filters["updated_since"]))
    return products


def _product_row(product: Product, prices: Mapping[UUID, dict[str, str]]) -> Row:
    return {
        "external_id": product.external_id,
        "slug": product.slug,
        **{name: getattr(product, name) for name in TEXT_FIELDS},
        "status": product.status,
        "product_type": product.product_type.code if product.product_type else None,
        "categories": [reference(link.category) for link in product.categories],
        "attributes": product.attributes,
        "texts": _texts(product.texts),
        "variants": [
            {
                "sku": variant.sku,
                "external_id": variant.external_id,
                "name": variant.name,
                "barcode": variant.barcode,
                "options": variant.options,
                "attributes": variant.attributes,
                "weight_g": variant.weight_g,
                "length_mm": variant.length_mm,
                "width_mm": variant.width_mm,
                "height_mm": variant.height_mm,
                "tax_class": variant.tax_class,
                "unit": variant.unit,
                "retired": True if variant.retired_at else None,
                "prices": prices.get(variant.id, {}),
            }
            for variant in product.variants
        ],
    }


def reference(thing: Category | Branch) -> str:
    """How a file names a category."""
    return EXTERNAL + thing.external_id if thing.external_id else thing.slug


def _texts(rows: Sequence[Any]) -> dict[str, dict[str, str]]:
    return {
        row.locale: {name: text for name, text in row.told.items() if text}
        for row in sorted(rows, key=lambda row: str(row.locale))
    }


def _regular_prices(variant_ids: Sequence[UUID], now: datetime) -> dict[UUID, dict[str, str]]:
    """Per variant and currency what one costs in the base list for good, sales left out; nothing
    while it costs something else for a time, which the file of prices tells."""
    prices = Price.objects.filter(variant_id__in=variant_ids, price_list=None)
    entries = _entries_of(
        prices.order_by("currency"),
        _live(now).filter(kind=Kind.REGULAR.value, min_quantity=1, from_at__lte=now),
    )
    found: dict[UUID, dict[str, str]] = defaultdict(dict)
    for entry in entries:
        money = Money(entry.amount_minor, entry.price.currency)
        # The last of them counts.
        found[entry.price.variant_id].pop(money.currency, None)
        if entry.until_at is None:
            found[entry.price.variant_id][money.currency] = money.amount_text
    return found


# Categories: each behind the one that it lies in, siblings in their order


def _category_pages(after: str | None, now: datetime, filters: Mapping[str, Any]) -> Iterator[Page]:
    tree = branches()
    by_id = {branch.id: branch for branch in tree}
    ordered = _in_order(tree)
    start = int(after or 0)
    for first in range(start, len(ordered), PAGE):
        ids = ordered[first : first + PAGE]
        yield Page(list(_category_rows(ids, by_id).values()), str(first + len(ids)))


def _category_rows(ids: Sequence[UUID], by_id: Mapping[UUID, Branch]) -> dict[UUID, Row]:
    found = Category.objects.prefetch_related("text_rows").in_bulk(ids)
    rows = {}
    for category in (found[i] for i in ids if i in found):
        parent = None if category.parent_id is None else by_id.get(category.parent_id)
        rows[category.id] = {
            "external_id": category.external_id,
            "slug": category.slug,
            "parent": None if parent is None else reference(parent),
            "position": category.position,
            **{name: getattr(category, name) for name in TEXT_FIELDS},
            "texts": _texts(category.texts),
        }
    return rows


def _in_order(tree: Sequence[Branch]) -> list[UUID]:
    below: dict[UUID | None, list[Branch]] = defaultdict(list)
    for branch in sorted(tree, key=lambda branch: branch.position, reverse=True):
        below[branch.parent_id].append(branch)
    ordered: list[UUID] = []
    waiting = list(below[None])
    while waiting:
        branch = waiting.pop()
        ordered.append(branch.id)
        waiting += below[branch.id]
    return ordered


# The others


def _type_pages(after: str | None, now: datetime, filters: Mapping[str, Any]) -> Iterator[Page]:
    types = ProductType.objects.prefetch_related("attribute_rows").order_by("code")
    for found in types if after is None else types.filter(code__gt=after):
        yield Page([_type_row(found)], found.code)


def _type_row(found: ProductType) -> Row:
    attributes = [
        {
            "code": attribute.code,
            "name": attribute.name,
            "names": dict(sorted(attribute.names.items())),
            "kind": attribute.kind,
            "unit": attribute.unit,
            "choices": [
                {name: value for name, value in choice.items() if value}
                for choice in attribute.choices
            ],
            "required": attribute.required,
            "filterable": attribute.filterable,
            "level": attribute.level,
        }
        for attribute in found.attributes
    ]
    return {"code": found.code, "name": found.name, "attributes": attributes}


def _price_pages(after: str | None, now: datetime, filters: Mapping[str, Any]) -> Iterator[Page]:
    prices = Price.objects.filter(variant__product__status__in=_SHOWN).order_by("sku")
    if filters.get("currency"):
        prices = prices.filter(currency=filters["currency"])
    if filters.get("price_list"):
        prices = prices.filter(list_code=filters["price_list"])
    while True:
        asked = prices.filter(sku__gt=after) if after is not None else prices
        skus = list(asked.values_list("sku", flat=True).distinct()[:PAGE])
        if not skus:
            return
        after = str(skus[-1])
        yield Page([row for _, row in _price_rows(prices.filter(sku__in=skus), now)], after)


def _price_rows(prices: QuerySet[Price], now: datetime) -> Iterator[tuple[UUID, Row]]:
    """Each with the id of its variant."""
    ordered = prices.order_by("sku", "currency", "list_code")
    for _, same in groupby(_entries_of(ordered, _live(now)), key=attrgetter("price_id")):
        of_price = list(same)
        facts = [entry.fact for entry in of_price]
        counting = [
            (begin, entry)
            for entry, fact in zip(of_price, facts, strict=True)
            if (begin := counts_from(fact, facts, now)) is not None
        ]
        for begin, entry in sorted(counting, key=itemgetter(0)):
            yield entry.price.variant_id, _price_row(entry, begin if begin > now else None)


def _entries_of(prices: QuerySet[Price], entries: QuerySet[PriceEntry]) -> list[PriceEntry]:
    """These entries of these prices in the order of the prices, each price's by their beginning.

    Two statements: as one it was once planned as every price against every entry.
    """
    rows: dict[UUID, list[PriceEntry]] = {price.id: [] for price in prices}
    of_price = {price.id: price for price in prices}
    for entry in entries.filter(price_id__in=list(rows)).order_by("from_at", "number"):
        entry.price = of_price[entry.price_id]
        rows[entry.price_id].append(entry)
    return [entry for of_one in rows.values() for entry in of_one]


def _live(now: datetime) -> QuerySet[PriceEntry]:
    """Entries in force and to come."""
    return PriceEntry.objects.filter(
        Q(ended_at=None) | Q(ended_at__gt=now), Q(until_at=None) | Q(until_at__gt=now)
    )


def _price_row(entry: PriceEntry, begin: datetime | None) -> Row:
    """begin: None for what counts now, and so begins at once where it is read."""
    price = entry.price
    return {
        "sku": price.sku,
        "currency": price.currency,
        "amount": Money(entry.amount_minor, price.currency).amount_text,
        "price_list": price.list_code or None,
        "kind": entry.kind,
        "min_quantity": entry.min_quantity,
        "valid_from": begin.isoformat() if begin else None,
        "valid_until": entry.until_at.isoformat() if entry.until_at else None,
    }


def _stock_pages(after: str | None, now: datetime, filters: Mapping[str, Any]) -> Iterator[Page]:
    items = StockItem.objects.filter(variant__product__status__in=_SHOWN)
    items = items.prefetch_related("level_rows").order_by("sku")
    warehouse = filters.get("warehouse")
    while True:
        found = list((items.filter(sku__gt=after) if after is not None else items)[:PAGE])
        if not found:
            return
        after = found[-1].sku
        rows = []
        for item in found:
            levels = {level.warehouse_id: level.on_hand for level in item.levels if level.on_hand}
            if warehouse:
                levels = {warehouse: levels.get(warehouse, 0)}
            rows += _stock_rows(item, levels or {"main": 0})
        yield Page(rows, after)


def _stock_rows(item: StockItem, levels: Mapping[str, int]) -> list[Row]:
    return [
        {"sku": item.sku, "warehouse": place, "on_hand": on_hand}
        for place, on_hand in sorted(levels.items())
    ]


# Single things


def rows_of(kind: str, ids: Sequence[UUID], *, now: datetime) -> dict[UUID, list[Row]]:
    """The rows of these things, whatever their status, in a number of statements that does not
    depend on how many they are. ids: of variants for prices, of stock items for stock."""
    rows: dict[UUID, list[Row]] = defaultdict(list)
    if kind == "products":
        found = list(_whole(Product.objects.filter(pk__in=ids)))
        rows |= {product_id: [row] for product_id, row in _product_rows(found, now).items()}
    elif kind == "categories":
        tree = {branch.id: branch for branch in branches()}
        rows |= {category_id: [row] for category_id, row in _category_rows(ids, tree).items()}
    elif kind == "product-types":
        for known in ProductType.objects.filter(pk__in=ids).prefetch_related("attribute_rows"):
            rows[known.pk] = [_type_row(known)]
    elif kind == "prices":
        for variant_id, row in _price_rows(Price.objects.filter(variant_id__in=ids), now):
            rows[variant_id].append(row)
    else:
        for item in StockItem.objects.filter(pk__in=ids).prefetch_related("level_rows"):
            rows[item.pk] = _stock_rows(item, {v.warehouse_id: v.on_hand for v in item.levels})
    return rows


_PAGES = {
    "products": _product_pages,
    "categories": _category_pages,
    "product-types": _type_pages,
    "prices": _price_pages,
    "stock": _stock_pages,
}
