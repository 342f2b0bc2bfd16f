"""A batch of products, with their variants and base prices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from msgspec import UNSET

from domains.products.errors import (
    ExternalIdTaken,
    InvalidProduct,
    SkuTaken,
    UnknownCategory,
    UnknownProductType,
)
from domains.products.models import Price, Product, ProductType, StockItem, Variant
from domains.products.models.price_set import PriceKey
from domains.products.queries import categories as category_queries
from domains.products.rules.attributes import Kind, Level
from domains.products.rules.imports.reading import Item
from domains.products.rules.imports.rows import PriceRow, ProductRow, VariantRow
from domains.products.rules.imports.values import attribute_of
from domains.products.services.imports.prices import set_price
from domains.products.services.imports.terms import (
    Refused,
    Terms,
    check_mode,
    given_texts,
    given_translations,
    money_of,
    refuse,
    required,
)
from domains.products.services.listing import refresh_products
from domains.products.services.prices import save_prices
from domains.products.services.products import free_slugs
from infrastructure.aggregates import ConcurrentModification
from infrastructure.errors import DomainError, FieldError


def write(items: Sequence[Item], terms: Terms) -> None:
    found = _Found(items)
    plans: list[_Plan] = []
    for item in items:
        try:
            plan = _plan(item, found, terms)
        except DomainError as refusal:
            refuse(item, refusal)
        else:
            if item.outcome is None:
                plans.append(plan)
    _name(plans)
    taken = []
    for plan in plans:
        try:
            plan.carry_out(terms)
            taken.append(plan)
        except DomainError as refusal:
            refuse(plan.item, refusal)
    _price(taken, terms)
    _save([plan for plan in taken if plan.item.outcome is None])


@dataclass(slots=True)
class _Plan:
    """What is to be done with one product. product: None where it is new."""

    item: Item
    row: ProductRow
    product: Product | None
    product_type: ProductType | None
    category_ids: list[UUID] | None
    new: list[tuple[int, VariantRow]] = field(default_factory=list)
    known: list[tuple[int, VariantRow]] = field(default_factory=list)
    slug: str = ""
    created: list[Variant] = field(default_factory=list)
    prices: list[Price] = field(default_factory=list)

    @property
    def is_new(self) -> bool:
        return self.product is None or self.product._state.adding

    def carry_out(self, terms: Terms) -> None:
        """Change the aggregate, or make it. Raises DomainError; then it is of no more use."""
        if self.product is None:
            self._create(terms)
        else:
            self._edit(self.product, terms)

    def _create(self, terms: Terms) -> None:
        row = self.row
        status = "draft" if row.status is UNSET else row.status
        translations = {} if row.texts is UNSET else given_translations(row.texts)
        attributes = {} if row.attributes is UNSET else row.attributes
        self.created = [self._variant(variant, terms) for _, variant in self.new]
        self.product = Product.create(
            slug=self.slug,
            status="draft" if status == "archived" else status,
            variants=self.created,
            category_ids=self.category_ids or [],
            external_id=None if row.external_id is UNSET else row.external_id,
            product_type=self.product_type,
            attributes=self._without_none(self._typed(attributes, Level.PRODUCT)),
            texts={locale: texts for locale, texts in translations.items() if texts is not None},
            now=terms.now,
            **{"name": required(row, "name")} | given_texts(row),
        )
        if status == "archived":
            self.product.archive(now=terms.now)

    def _edit(self, product: Product, terms: Terms) -> None:
        row = self.row
        if product.status == Product.Status.ARCHIVED and row.status == "archived":
            return
        changes: dict[str, Any] = dict(given_texts(row))
        for name in ("slug", "external_id", "status"):
            if getattr(row, name) is not UNSET:
                changes[name] = getattr(row, name)
        if row.product_type is not UNSET:
            changes["product_type"] = self.product_type
        if row.attributes is not UNSET:
            changes["attributes"] = self._typed(row.attributes, Level.PRODUCT)
        if row.texts is not UNSET:
            changes["texts"] = given_translations(row.texts)
        if self.category_ids is not None:
            changes["category_ids"] = self.category_ids
        if self.known:
            changes["variants"] = {told.sku: self._changes(told) for _, told in self.known}
        pointers = {told.sku: f"/variants/{place}" for place, told in self.known}
        product.edit(now=terms.now, pointers=pointers, **changes)
        if self.new:
            self.created = [self._variant(variant, terms) for _, variant in self.new]
            try:
                product.add_variants(self.created, now=terms.now)
            except InvalidProduct as refusal:
                raise InvalidProduct(errors=[self._placed(e) for e in refusal.errors]) from refusal

    def _variant(self, row: VariantRow, terms: Terms) -> Variant:
        variant = Variant(sku=row.sku)
        for name, value in self._changes(row).items():
            if name in ("options", "attributes"):
                value = self._without_none(value)
            if name != "retired":
                setattr(variant, name, value)
            elif value:
                variant.retired_at = terms.now
        return variant

    def _changes(self, row: VariantRow) -> dict[str, Any]:
        changes: dict[str, Any] = {}
        for name in _VARIANT_FIELDS:
            value = getattr(row, name)
            if value is not UNSET:
                changes[name] = "" if value is None and name in _TEXTS_OF_VARIANTS else value
        if row.attributes is not UNSET:
            changes["attributes"] = self._typed(row.attributes, Level.VARIANT)
        return changes

    def _typed(self, values: dict[str, Any], level: Level) -> dict[str, Any]:
        """Texts of CSV as the kind of the attribute says."""
        if not self.item.is_text:
            return values
        rules = () if self.product_type is None else self.product_type.rules(level)
        kinds = {rule.code: rule.kind for rule in rules}
        return {
            code: value if value is None else attribute_of(value, kinds.get(code, Kind.TEXT))
            for code, value in values.items()
        }

    @staticmethod
    def _without_none(values: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in values.items() if value is not None}

    def _placed(self, error: FieldError) -> FieldError:
        steps = error.pointer.split("/")
        if len(steps) > 2 and steps[1] == "variants" and steps[2].isdigit():
            steps[2] = str(self.new[int(steps[2])][0])
        return FieldError("/".join(steps), error.code, error.detail)


_VARIANT_FIELDS = (
    "external_id",
    "name",
    "barcode",
    "options",
    "weight_g",
    "length_mm",
    "width_mm",
    "height_mm",
    "tax_class",
    "unit",
    "retired",
)
_TEXTS_OF_VARIANTS = ("name", "barcode")


class _Found:
    """What is there already of what a batch speaks of. Products are locked, in key order."""

    def __init__(self, items: Sequence[Item]) -> None:
        rows: list[ProductRow] = [item.value for item in items]
        keys = {
            "external_ids": [row.external_id for row in rows if row.external_id],
            "slugs": [row.slug for row in rows if row.slug],
            "skus": [variant.sku for row in rows for variant in row.variants],
        }
        names = {name for row in rows for name in row.categories or ()}
        self.categories = category_queries.ids_of(sorted(names)) if names else {}
        # Types before products, since a change of a type reaches for its products.
        self.types = ProductType.objects.staying(
            {row.product_type for row in rows if row.product_type},
            ids=Product.objects.type_ids_by_keys(**keys),
        )
        products = Product.objects.locked_by_keys(**keys)
        by_id = {found.id: found for found in self.types.values()}
        for product in products:
            if product.product_type_id and product.product_type_id not in by_id:
                raise ConcurrentModification(f"{product} was given another type meanwhile.")
            if product.product_type_id:
                product.product_type = by_id[product.product_type_id]
        self._by_external_id = {p.external_id: p for p in products if p.external_id}
        self._by_slug = {row.slug: p for p in products for row in p.slugs}
        self.by_sku = {variant.sku: p for p in products for variant in p.variants}

    def product_of(self, row: ProductRow) -> Product | None:
        """Raises ExternalIdTaken where the slug leads to what has another external id."""
        product: Product | None = None
        if row.external_id:
            product = self._by_external_id.get(row.external_id)
        if product is None and row.slug:
            product = self._by_slug.get(row.slug)
        if product is None and not row.slug:
            owners = (self.by_sku.get(variant.sku) for variant in row.variants)
            product = next((owner for owner in owners if owner and _may_be(owner, row)), None)
        if product is not None and not _may_be(product, row):
            fault = FieldError(
                "/external_id",
                "other_external_id",
                f"{product} has the external id {product.external_id}.",
            )
            raise ExternalIdTaken(errors=[fault])
        return product


def _may_be(product: Product, row: ProductRow) -> bool:
    return not (row.external_id and product.external_id) or row.external_id == product.external_id


def _plan(item: Item, found: _Found, terms: Terms) -> _Plan:
    """Raises DomainError."""
    row: ProductRow = item.value
    product = found.product_of(row)
    check_mode(terms.mode, is_there=product is not None, what="product")
    plan = _Plan(
        item=item,
        row=row,
        product=product,
        product_type=_type_of(row, product, found),
        category_ids=_categories_of(row, found),
    )
    for place, variant in enumerate(row.variants):
        owner = found.by_sku.get(variant.sku)
        try:
            _check(variant, owner, product, f"/variants/{place}")
        except Refused as refusal:
            # A row of CSV is refused by itself, a line of JSON as a whole.
            if item.header is None:
                raise
            number, pointer = item.row_at(refusal.pointer)
            item.fault(refusal.row_code, refusal.detail, pointer, row=number)
            continue
        (plan.new if owner is None else plan.known).append((place, variant))
    if row.variants and not plan.new and not plan.known:
        item.outcome = "failed"
    return plan


def _check(
    variant: VariantRow, owner: Product | None, product: Product | None, pointer: str
) -> None:
    """What can be seen of a variant alone. Raises Refused."""
    if owner is not None and owner is not product:
        detail = f"{variant.sku} belongs to {owner}."
        raise Refused(SkuTaken.code, detail, f"{pointer}/sku")
    for currency, amount in (variant.prices or {}).items():
        money_of(amount, currency, f"{pointer}/prices/{currency}")


def _type_of(row: ProductRow, product: Product | None, found: _Found) -> ProductType | None:
    if row.product_type is UNSET:
        return None if product is None else product.product_type
    if row.product_type is None:
        return None
    if row.product_type not in found.types:
        detail = f"There is no product type {row.product_type}."
        raise UnknownProductType(
            errors=[FieldError("/product_type", UnknownProductType.code, detail)]
        )
    return found.types[row.product_type]


def _categories_of(row: ProductRow, found: _Found) -> list[UUID] | None:
    if row.categories is UNSET:
        return None
    names = row.categories or []
    unknown = [("/categories", name) for name in names if name not in found.categories]
    if unknown:
        raise UnknownCategory.at(unknown)
    return [found.categories[name] for name in names]


def _name(plans: Sequence[_Plan]) -> None:
    """Slugs for what is new: as the row says, or made from the name."""
    nameless = []
    for plan in plans:
        if plan.product is None and plan.row.slug is not UNSET:
            plan.slug = plan.row.slug
        elif plan.product is None and plan.row.name is not UNSET:
            nameless.append(plan)
    asked = {plan.slug for plan in plans if plan.slug}
    slugs = free_slugs([str(plan.row.name) for plan in nameless], but=asked) if nameless else []
    for plan, slug in zip(nameless, slugs, strict=True):
        plan.slug = slug


def _price(plans: Sequence[_Plan], terms: Terms) -> None:
    """Base prices, of what is there and of what is new."""
    wanted: dict[PriceKey, tuple[_Plan, PriceRow]] = {}
    for plan in plans:
        assert plan.product is not None
        ids = {variant.sku: variant.id for variant in plan.product.variants}
        for _, told in (*plan.known, *plan.new):
            for currency, amount in (told.prices or {}).items():
                row = PriceRow(sku=told.sku, currency=currency, amount=amount)
                wanted[ids[told.sku], currency, None] = plan, row
    new_ids = {variant.id for plan in plans for variant in plan.created}
    known = [key for key in wanted if key[0] not in new_ids]
    prices = Price.objects.locked(known, now=terms.now) if known else {}
    for key, (plan, row) in wanted.items():
        price = prices.get(key) or Price.empty(
            variant_id=key[0], sku=row.sku, currency=row.currency, now=terms.now
        )
        try:
            if set_price(price, row, terms):
                plan.prices.append(price)
        except DomainError as refusal:
            refuse(plan.item, refusal)


def _save(plans: Sequence[_Plan]) -> None:
    made, changed = [], []
    touched: dict[UUID, list[UUID]] = {}
    prices: list[Price] = []
    for plan in plans:
        assert plan.product is not None
        prices += plan.prices
        plan.item.id = plan.product.id
        if plan.is_new:
            plan.item.outcome = "created"
            made.append(plan.product)
        elif plan.product.has_changes:
            plan.item.outcome = "changed"
            changed.append(plan.product)
        elif plan.prices:
            plan.item.outcome = "changed"
        else:
            plan.item.outcome = "unchanged"
        if plan.item.outcome != "unchanged":
            touched[plan.product.id] = [variant.id for variant in plan.product.variants]
    Product.objects.add_all(made)
    Product.objects.save_all(changed)
    StockItem.objects.add_all(
        [
            StockItem.empty(variant_id=variant.id, sku=variant.sku)
            for plan in plans
            for variant in plan.created
        ]
    )
    listed = save_prices(prices)
    refresh_products(
        [
            product_id
            for product_id, variant_ids in touched.items()
            if not listed.intersection(variant_ids)
        ]
    )
