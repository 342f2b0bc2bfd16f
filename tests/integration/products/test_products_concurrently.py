"""Products and types that several change at once."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

import pytest

from domains.products.errors import (
    InvalidProduct,
    ProductTypeInUse,
    SlugTaken,
)
from domains.products.models import Product, ProductSlug, ProductType
from domains.products.rules.attributes import Kind
from domains.products.services import products as services
from domains.products.services import types
from infrastructure.aggregates import ConcurrentModification
from infrastructure.database.threads import in_threads
from tests.support.factories import products
from tests.support.files import bring, counts
from tests.support.products import COLOURS, FINISH, MATERIAL, Edit, terms


@pytest.mark.django_db(transaction=True)
def test_of_two_editors_of_one_version_one_is_refused(now: datetime) -> None:
    product_id = products.product(now=now)
    outcomes: list[str] = []

    def change(number: int) -> None:
        try:
            services.edit_product(product_id=product_id, version=1, now=now, name=f"Name {number}")
        except ConcurrentModification:
            outcomes.append("stale")
        else:
            outcomes.append("changed")

    in_threads(change, range(8), threads=4)
    assert sorted(outcomes) == ["changed"] + ["stale"] * 7
    assert Product.objects.get().version == 2


@pytest.mark.django_db(transaction=True)
def test_a_slug_that_many_want_at_once_leads_to_one_product(edit: Edit, now: datetime) -> None:
    ids = [products.product(now=now, sku=f"S{n}", name=f"N{n}") for n in range(6)]

    def work(number: int) -> None:
        with suppress(SlugTaken):
            if number < 6:
                edit(ids[number], slug="wanted")
                edit(ids[number], slug=f"other-{number}")
            else:
                products.product(now=now, sku=f"S{number}", name="Wanted", slug="wanted")

    in_threads(work, range(9), threads=6)
    assert ProductSlug.objects.filter(slug="wanted").count() == 1
    slugs = ProductSlug.objects.values_list("slug", "product_id")
    for product in Product.objects.all():
        assert (product.slug, product.pk) in slugs


@pytest.mark.django_db(transaction=True)
def test_no_product_gets_a_choice_while_its_type_loses_it(
    mug: str, edit: Edit, now: datetime
) -> None:
    ids = [products.product(now=now, sku=f"S{n}", name=f"N{n}", status="draft") for n in range(8)]
    only_steel = terms("material", Kind.CHOICE, choices=("steel",))

    def work(job: int) -> None:
        with suppress(InvalidProduct, ProductTypeInUse):
            if job < len(ids):
                edit(ids[job], product_type=mug, attributes={"material": "glass"})
            else:
                types.edit_type(code=mug, version=None, attributes=[only_steel], now=now)

    in_threads(work, [0, 99, 1, 2, 99, 3, 4, 99, 5, 6, 7], threads=4)
    chosen = Product.objects.filter(attributes__material="glass").count()
    [attribute] = ProductType.objects.get().attribute_rows.filter(code="material")
    known = {choice["code"] for choice in attribute.choices}
    assert ("glass" in known) or chosen == 0


@pytest.mark.django_db(transaction=True)
def test_a_type_and_its_products_change_at_once_without_waiting_in_a_circle(
    mug: str, edit: Edit, now: datetime
) -> None:
    ids = [
        products.product(
            now=now, sku=f"S{n}", name=f"N{n}", product_type=mug, attributes={"material": "glass"}
        )
        for n in range(4)
    ]

    def work(number: int) -> None:
        if number % 3:
            edit(ids[number % 4], attributes={"material": "steel" if number % 2 else "glass"})
        else:
            attributes = [MATERIAL, COLOURS, FINISH, terms(f"a{number}")]
            types.edit_type(code=mug, version=None, attributes=attributes, now=now)

    in_threads(work, range(36), threads=6)
    assert ProductType.objects.get().version == 13


@pytest.mark.django_db(transaction=True)
def test_imports_that_name_no_type_do_not_wait_in_a_circle_for_one(mug: str, now: datetime) -> None:
    skus = [f"S{n}" for n in range(6)]
    for sku in skus:
        products.product(
            now=now, sku=sku, name=sku, product_type=mug, attributes={"material": "glass"}
        )

    def work(number: int) -> None:
        if number % 2:
            rows = "".join(f"{sku},Name {number}\n" for sku in skus)
            assert counts(bring("products", f"sku,name\n{rows}", now=now)) == (0, 6, 0, 0)
        else:
            attributes = [MATERIAL, COLOURS, FINISH, terms(f"a{number}")]
            types.edit_type(code=mug, version=None, attributes=attributes, now=now)

    in_threads(work, range(24), threads=6)
    assert ProductType.objects.get().version == 13
    assert len(set(Product.objects.values_list("name", flat=True))) == 1


@pytest.mark.django_db(transaction=True)
def test_files_with_the_same_types_do_not_wait_in_a_circle(now: datetime) -> None:
    header = "code,name,attribute,attribute_name,kind\n"
    codes = [f"t{number}" for number in range(4)]

    def work(number: int) -> None:
        # Each file has them in another order.
        turned = [*codes[number % 4 :], *codes[: number % 4]]
        rows = "".join(f"{code},Name {number},size,Size,text\n" for code in turned)
        assert counts(bring("product-types", header + rows, now=now))[3] == 0

    work(0)
    in_threads(work, range(1, 21), threads=6)
    assert set(ProductType.objects.values_list("version", flat=True)) == {21}
