"""The rules of products, their types and categories, without a database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from domains.products.errors import (
    CategoryTooDeep,
    InvalidProduct,
    InvalidProductType,
    InvalidSlug,
    LastVariant,
    NothingToSell,
    ProductArchived,
    VariantNotFound,
)
from domains.products.models import Category, Product, ProductType, Variant
from domains.products.models.categories import MAX_DEPTH
from domains.products.rules.attributes import Kind, Level
from domains.products.rules.slugs import named_by, slug_of
from domains.products.rules.types import AttributeTerms, ChoiceTerms


def facts(root: Any) -> list[str]:
    return [type(event).__name__ for event in root.__dict__.get("_events", [])]


def changed(product: Product) -> tuple[str, ...]:
    told: tuple[str, ...] = product.__dict__["_events"][-1].changed
    return told


def product(*skus: str, now: datetime, **fields: Any) -> Product:
    given: dict[str, Any] = {
        "name": "White lantern",
        "slug": "white-lantern",
        "description": "Bright",
        "status": "active",
        "category_ids": [],
        "variants": [Variant(sku=sku) for sku in skus],
    }
    return Product.create(now=now, **{**given, **fields})


def mugs(now: datetime) -> ProductType:
    glass, steel = ChoiceTerms(code="glass", name="Glass"), ChoiceTerms(code="steel", name="Steel")
    return ProductType.create(
        code="mug",
        name="Mug",
        attributes=[
            AttributeTerms(
                code="material",
                name="Material",
                kind=Kind.CHOICE,
                choices=(glass, steel),
                required=True,
            ),
            AttributeTerms(
                code="finish", name="Finish", kind=Kind.TEXT, required=True, level=Level.VARIANT
            ),
        ],
        now=now,
    )


def faults(attempt: Callable[[], Any]) -> list[tuple[str, str]]:
    with pytest.raises(InvalidProduct) as refused:
        attempt()
    return [(fault.pointer, fault.code) for fault in refused.value.errors]


def test_a_new_product_has_its_variants_in_their_order(now: datetime) -> None:
    made = product("85123A", "85123B", now=now)
    assert [variant.position for variant in made.variants] == [0, 1]
    assert [row.slug for row in made.slugs] == ["white-lantern"]
    assert facts(made) == ["ProductCreated"]


@pytest.mark.parametrize("skus", [(), ("A", "A")])
def test_a_product_needs_variants_each_sku_once(skus: tuple[str, ...], now: datetime) -> None:
    with pytest.raises(NothingToSell):
        product(*skus, now=now)


def test_categories_are_replaced_and_links_that_stay_are_kept(now: datetime) -> None:
    made = product("A", now=now)
    first, second, third = UUID(int=1), UUID(int=2), UUID(int=3)
    made.edit(category_ids=[first, second, first], now=now)
    kept = made.categories[1]
    made.edit(category_ids=[second, third], now=now)
    assert [(link.category_id, link.position) for link in made.categories] == [
        (second, 0),
        (third, 1),
    ]
    assert made.categories[0] is kept


def test_an_edit_tells_what_is_different_and_nothing_where_nothing_is(now: datetime) -> None:
    made, later = product("A", now=now), now + timedelta(hours=1)
    same: Any = {"name": made.name, "status": "active", "category_ids": [], "variants": {"A": {}}}
    assert made.edit(now=later, **same) == ()
    assert (facts(made), made.updated_at) == (["ProductCreated"], now)
    assert made.edit(
        now=later,
        name="Red lantern",
        description="Bright",
        slug="red-lantern",
        texts={"de": {"name": "Laterne"}},
        variants={"A": {"weight_g": 300}},
        status="draft",
    ) == ("name", "slug", "texts", "variants", "status")
    assert changed(made) == ("name", "slug", "texts", "variants", "status")
    assert [row.slug for row in made.slugs] == ["white-lantern", "red-lantern"]
    assert made.updated_at == later


def test_a_product_takes_back_a_slug_that_it_had(now: datetime) -> None:
    made = product("A", now=now)
    made.edit(slug="red-lantern", now=now)
    rows = list(made.slugs)
    made.edit(slug="white-lantern", now=now)
    assert (made.slug, made.slugs) == ("white-lantern", rows)


def test_texts_are_merged_and_a_locale_can_be_taken_away(now: datetime) -> None:
    made = product("A", now=now, texts={"de": {"name": "Laterne", "seo_title": "Kaufen"}})
    row = made.texts[0]
    made.edit(texts={"de": {"seo_title": ""}, "fr": {"name": "Lanterne"}}, now=now)
    assert made.texts[0] is row
    assert [(text.locale, text.name, text.seo_title) for text in made.texts] == [
        ("de", "Laterne", ""),
        ("fr", "Lanterne", ""),
    ]
    made.edit(texts={"de": None}, now=now)
    assert [text.locale for text in made.texts] == ["fr"]


def test_an_archived_product_stays_archived(now: datetime) -> None:
    made = product("A", now=now)
    made.edit(name="Last words", status="archived", now=now)
    assert (made.name, made.status) == ("Last words", "archived")
    assert facts(made) == ["ProductCreated", "ProductUpdated", "ProductDeleted"]
    for change in (
        lambda: made.edit(status="active", now=now),
        lambda: made.archive(now=now),
        lambda: made.add_variants([Variant(sku="B")], now=now),
    ):
        with pytest.raises(ProductArchived):
            change()


def test_all_that_is_wrong_with_a_product_is_told_at_once(now: datetime) -> None:
    variants = [
        Variant(sku="A", name="Red\nish", options={"colour": "red"}, barcode="4006381333930"),
        Variant(sku="B", options={"colour": "red"}, attributes={"finish": 1}),
    ]
    assert faults(
        lambda: product(variants=variants, product_type=mugs(now), attributes={"size": 3}, now=now)
    ) == [
        ("/attributes/size", "unknown_attribute"),
        ("/attributes/material", "attribute_required"),
        ("/variants/0/attributes/finish", "attribute_required"),
        ("/variants/0/name", "bad_format"),
        ("/variants/0/barcode", "invalid_barcode"),
        ("/variants/1/attributes/finish", "invalid_attribute_value"),
        ("/variants/1/options", "options_repeated"),
    ]


def test_a_draft_may_lack_what_an_active_product_needs(now: datetime) -> None:
    made = product("A", product_type=mugs(now), status="draft", now=now)
    assert faults(lambda: made.edit(status="active", now=now)) == [
        ("/attributes/material", "attribute_required"),
        ("/variants/A/attributes/finish", "attribute_required"),
    ]
    again = product("A", product_type=mugs(now), status="draft", now=now)
    again.edit(
        status="active",
        attributes={"material": "glass"},
        variants={"A": {"attributes": {"finish": "matt"}}},
        now=now,
    )
    assert changed(again) == ("attributes", "variants", "status")
    again.edit(attributes={"material": "steel"}, now=now)
    assert again.attributes == {"material": "steel"}
    assert faults(lambda: again.edit(attributes={"material": None}, now=now)) == [
        ("/attributes/material", "attribute_required")
    ]


def test_a_product_without_a_type_has_no_attributes(now: datetime) -> None:
    made = product(
        "A", product_type=mugs(now), attributes={"material": "glass"}, status="draft", now=now
    )
    assert faults(lambda: made.edit(product_type=None, now=now)) == [
        ("/attributes/material", "unknown_attribute")
    ]
    again = product(
        "A", product_type=mugs(now), attributes={"material": "glass"}, status="draft", now=now
    )
    again.edit(product_type=None, attributes={"material": None}, now=now)
    assert changed(again) == ("product_type", "attributes")


def test_options_of_all_variants_change_together(now: datetime) -> None:
    variants = [Variant(sku=sku, options={"colour": sku}) for sku in "AB"]
    made = product(variants=variants, now=now)
    assert faults(lambda: made.edit(variants={"B": {"options": {"size": "S"}}}, now=now)) == [
        ("/variants/B/options", "option_names_differ")
    ]
    again = product(variants=[Variant(sku=s, options={"colour": s}) for s in "AB"], now=now)
    again.edit(variants={sku: {"options": {"colour": None, "size": sku}} for sku in "AB"}, now=now)
    assert [variant.options for variant in again.variants] == [{"size": "A"}, {"size": "B"}]


def test_a_retired_variant_is_out_of_all_rules_and_can_come_back(now: datetime) -> None:
    variants = [Variant(sku=sku, options={"colour": sku}) for sku in "AB"]
    made = product(variants=variants, now=now)
    made.edit(variants={"A": {"retired": True}}, now=now)
    assert variants[0].retired_at == now
    assert made.edit(variants={"A": {"retired": True}}, now=now) == ()
    made.edit(variants={"B": {"options": {"colour": "A"}}}, now=now)
    assert faults(lambda: made.edit(variants={"A": {"retired": False}}, now=now)) == [
        ("/variants/B/options", "options_repeated")
    ]


def test_a_product_on_sale_keeps_a_variant(now: datetime) -> None:
    made = product("A", now=now)
    with pytest.raises(LastVariant):
        made.edit(variants={"A": {"retired": True}}, now=now)
    draft = product("A", status="draft", now=now)
    draft.edit(variants={"A": {"retired": True}}, now=now)
    with pytest.raises(LastVariant):
        draft.edit(status="active", now=now)


def test_variants_are_added_behind_the_others(now: datetime) -> None:
    made = product("A", "B", now=now)
    made.add_variants([Variant(sku="C"), Variant(sku="D")], now=now)
    assert [(v.sku, v.position) for v in made.variants] == [("A", 0), ("B", 1), ("C", 2), ("D", 3)]
    assert changed(made) == ("variants",)
    assert faults(
        lambda: made.add_variants([Variant(sku="E", options={"colour": "red"})], now=now)
    ) == [("/variants/0/options", "option_names_differ")]


def test_a_product_has_no_variant_of_another(now: datetime) -> None:
    with pytest.raises(VariantNotFound):
        product("A", now=now).edit(variants={"B": {"name": "x"}}, now=now)


def test_a_type_keeps_the_attributes_that_stay(now: datetime) -> None:
    made = mugs(now)
    finish = made.attributes[1]
    made.edit(attributes=[made.terms[1]], name="Mugs", now=now)
    assert (made.name, made.attributes, finish.position) == ("Mugs", [finish], 0)
    with pytest.raises(InvalidProductType):
        made.edit(attributes=[made.terms[0], made.terms[0]], now=now)


def category(now: datetime, **fields: Any) -> Category:
    place = {"parent_id": None, "parent_depth": 0, "position": "V0000"}
    return Category.create(name="Lights", slug="lights", now=now, **{**place, **fields})


def test_the_tree_has_a_greatest_depth(now: datetime) -> None:
    made = category(now, parent_id=UUID(int=1), parent_depth=MAX_DEPTH - 1)
    with pytest.raises(CategoryTooDeep):
        category(now, parent_depth=MAX_DEPTH)
    made.move(parent_id=None, depth=MAX_DEPTH - 2, levels_below=2, position="V0001")
    assert (made.parent_id, made.position) == (None, "V0001")
    with pytest.raises(CategoryTooDeep):
        made.move(parent_id=None, depth=MAX_DEPTH - 1, levels_below=2, position="V0001")


ID = "0197a7c8-5c1e-7cc3-98a4-1f0e2c3b4d5e"


@pytest.mark.parametrize("slug", [ID, ID.replace("-", ""), ID.upper(), "external:1", "bulk"])
def test_a_slug_cannot_be_taken_for_an_id(slug: str, now: datetime) -> None:
    for make in (
        lambda: product("A", slug=slug, now=now),
        lambda: category(now).edit(slug=slug, now=now),
    ):
        with pytest.raises(InvalidSlug):
            make()
    assert named_by(slug_of(slug))[0] == "slug"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (ID, ("id", ID)),
        ("lantern", ("slug", "lantern")),
        ("external:4711", ("external_id", "4711")),
        (ID + "0", ("slug", ID + "0")),
    ],
)
def test_what_something_is_named_by(name: str, expected: tuple[str, str]) -> None:
    assert named_by(name) == expected
