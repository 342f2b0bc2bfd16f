"""What a type demands of its products, and what they demand of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from domains.products.errors import (
    InvalidProduct,
    ProductTypeInUse,
    ProductTypeNotFound,
    ProductTypeTaken,
    UnknownLocale,
    UnknownProductType,
)
from domains.products.models import ProductType
from domains.products.rules.attributes import Kind
from domains.products.rules.types import AttributeTerms
from domains.products.services import products as services
from domains.products.services import types
from infrastructure.aggregates import ConcurrentModification
from infrastructure.database.contexts import alias_of
from tests.support.factories import products
from tests.support.products import COLOURS, FINISH, MATERIAL, Edit, shown, terms


@pytest.mark.django_db
def test_the_attributes_of_a_type_are_read_once_per_version(
    mug: str, now: datetime, django_assert_num_queries: Any
) -> None:
    product_id = products.product(now=now, product_type=mug, attributes={"material": "glass"})

    def told(statements: int) -> list[str]:
        with django_assert_num_queries(statements, using=alias_of("products")):
            found = shown(product_id, now)
        return [f"{attribute.name}: {attribute.value}" for attribute in found.attributes]

    assert told(2) == told(1) == ["Material: glass"]
    renamed = terms("material", Kind.CHOICE, choices=("glass",), names={"de": "Stoff"})
    types.edit_type(code=mug, version=None, attributes=[COLOURS, renamed], now=now)
    assert told(2) == told(1) == ["Material: glass"]
    assert shown(product_id, now, locale="de").attributes[0].name == "Stoff"


@pytest.mark.django_db
def test_a_type_has_to_be_there_and_so_has_a_locale(edit: Edit, now: datetime) -> None:
    product_id = products.product(now=now)
    with pytest.raises(UnknownProductType) as refused:
        edit(product_id, product_type="nope")
    assert refused.value.errors[0].pointer == "/product_type"
    with pytest.raises(UnknownLocale) as unknown:
        edit(product_id, texts={"xx": {"name": "x"}, "en": {"name": "x"}, "de": {"name": "x"}})
    assert [fault.pointer for fault in unknown.value.errors] == ["/texts/xx", "/texts/en"]


@pytest.mark.django_db
def test_what_products_use_cannot_be_taken_out_of_their_type(
    mug: str, edit: Edit, now: datetime
) -> None:
    product_id = products.product(
        now=now, product_type=mug, attributes={"material": "glass", "colours": ["red"]}
    )
    edit(product_id, variants={"71053": {"attributes": {"finish": "matt"}}})

    def change(*attributes: AttributeTerms) -> None:
        types.edit_type(code=mug, version=None, attributes=attributes, now=now)

    def refusals(*attributes: AttributeTerms) -> list[str]:
        with pytest.raises(ProductTypeInUse) as refused:
            change(*attributes)
        return [f"{fault.code} {fault.detail}" for fault in refused.value.errors]

    assert refusals() == [
        "attribute_in_use Products have a value for material.",
        "attribute_in_use Products have a value for colours.",
        "attribute_in_use Products have a value for finish.",
    ]
    only_steel = terms("material", Kind.CHOICE, choices=("steel",))
    only_blue = terms("colours", Kind.MULTI_CHOICE, choices=("blue",))
    assert refusals(only_steel, only_blue, FINISH) == [
        "choice_in_use Products have chosen glass for material.",
        "choice_in_use Products have chosen red for colours.",
    ]
    assert refusals(MATERIAL, COLOURS, terms("finish")) == [
        "attribute_in_use Products have a value for finish."
    ]
    only_glass = terms("material", Kind.CHOICE, choices=("glass",))
    change(only_glass, terms("colours", Kind.MULTI_CHOICE, choices=("red",)), FINISH)
    with pytest.raises(ProductTypeInUse):
        types.remove_type(code=mug, version=None)
    services.archive_product(product_id=product_id, version=None, now=now)
    change()
    assert ProductType.objects.get().attribute_rows.count() == 0
    with pytest.raises(ProductTypeInUse):
        types.remove_type(code=mug, version=None)


@pytest.mark.django_db
def test_what_becomes_required_is_demanded_at_the_next_change(
    mug: str, edit: Edit, now: datetime
) -> None:
    product_id = products.product(now=now, product_type=mug, attributes={"material": "glass"})
    needed = terms("care", required=True)
    types.edit_type(code=mug, version=1, attributes=[MATERIAL, needed], now=now)
    edit(product_id, name="Other")
    with pytest.raises(InvalidProduct) as refused:
        edit(product_id, attributes={"material": "steel"})
    assert [fault.pointer for fault in refused.value.errors] == ["/attributes/care"]
    edit(product_id, attributes={"material": "steel", "care": "by hand"})


@pytest.mark.django_db
def test_a_type_is_known_by_its_code_and_removed_when_unused(mug: str, now: datetime) -> None:
    with pytest.raises(ProductTypeTaken):
        types.create_type(code=mug, name="Other", attributes=[], now=now)
    with pytest.raises(ConcurrentModification):
        types.edit_type(code=mug, version=7, name="Mugs", now=now)
    types.edit_type(code=mug, version=1, name="Mugs", now=now)
    types.edit_type(code=mug, version=2, name="Mugs", now=now)
    assert ProductType.objects.get().version == 2
    foreign = [terms("a", names={"xx": "x"})]
    with pytest.raises(UnknownLocale) as refused:
        types.edit_type(code=mug, version=2, attributes=foreign, now=now)
    assert refused.value.errors[0].pointer == "/attributes/0/names/xx"
    types.remove_type(code=mug, version=2)
    with pytest.raises(ProductTypeNotFound):
        types.remove_type(code=mug, version=None)
