"""Commands of products, variants and types against the database, also from many threads."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from domains.products.errors import (
    ExternalIdTaken,
    InvalidProduct,
    ProductNotFound,
    ProductTypeInUse,
    ProductTypeNotFound,
    ProductTypeTaken,
    SkuTaken,
    SlugTaken,
    UnknownLocale,
    UnknownProductType,
    VariantNotFound,
)
from domains.products.models import Price, Product, ProductSlug, ProductType, StockItem, Variant
from domains.products.public import NewProduct, NewVariant, offers
from domains.products.queries import products as queries
from domains.products.queries.categories import Moved
from domains.products.queries.prices import PricesFor
from domains.products.rules.attributes import Kind, Level
from domains.products.rules.types import AttributeTerms, ChoiceTerms
from domains.products.services import products as services
from domains.products.services import types, variants
from infrastructure.aggregates import ConcurrentModification
from infrastructure.database.contexts import alias_of
from infrastructure.database.threads import in_threads
from infrastructure.money import Money
from infrastructure.outbox.models import OutboxMessage
from tests.support.factories import products
from tests.support.files import bring, counts

Edit = Callable[..., tuple[str, ...]]


@pytest.fixture
def edit(now: datetime) -> Edit:
    def change(product_id: UUID, **changes: Any) -> tuple[str, ...]:
        return services.edit_product(product_id=product_id, version=None, now=now, **changes)

    return change


def terms(code: str, kind: Kind = Kind.TEXT, **fields: Any) -> AttributeTerms:
    choices = tuple(ChoiceTerms(code=c, name=c.title()) for c in fields.pop("choices", ()))
    return AttributeTerms(code=code, name=code.title(), kind=kind, choices=choices, **fields)


MATERIAL = terms("material", Kind.CHOICE, choices=("glass", "steel"), required=True)
COLOURS = terms("colours", Kind.MULTI_CHOICE, choices=("red", "blue"))
FINISH = terms("finish", level=Level.VARIANT)


@pytest.fixture
def mug(now: datetime) -> str:
    types.create_type(code="mug", name="Mug", attributes=[MATERIAL, COLOURS, FINISH], now=now)
    return "mug"


def shown(name: UUID | str, now: datetime, *, locale: str = "en") -> queries.ProductDetail:
    prices = PricesFor(currency="GBP", now=now)
    found = queries.product_shown(str(name), prices=prices, locale=locale, hidden_too=True)
    assert not isinstance(found, Moved)
    return found


def facts(product_id: UUID) -> list[str]:
    messages = OutboxMessage.objects.using(alias_of("products")).filter(key=str(product_id))
    return [message.name.split(".")[1] for message in messages.order_by("id")]


@pytest.mark.django_db
def test_a_product_is_made_with_everything_in_one_statement_for_itself(
    mug: str, now: datetime
) -> None:
    new = NewProduct(
        name="Travel mug",
        slug="the-mug",
        external_id="erp-1",
        product_type=mug,
        attributes={"material": "steel", "colours": ["blue", "red"]},
        seo_title="Mugs",
        texts={"de": {"name": "Reisebecher"}},
        status="active",
        variants=(
            NewVariant(
                sku="MUG",
                prices=(Money(1250, "GBP"), Money(1500, "EUR")),
                external_id="erp-1-1",
                barcode="4006381333931",
                options={"size": "S"},
                attributes={"finish": "matt"},
                weight_g=310,
                length_mm=90,
                width_mm=80,
                height_mm=110,
                tax_class="reduced",
            ),
        ),
    )
    with CaptureQueriesContext(connections[alias_of("products")]) as statements:
        product_id = services.create_product(product=new, actor_id=None, now=now)
    roots = [q for q in statements.captured_queries if 'INTO "products_product"' in q["sql"]]
    assert len(roots) == 1
    for table in ("variant", "producttext", "productslug"):
        assert f'INTO "products_{table}"' in roots[0]["sql"]
    found = shown(product_id, now)
    assert [(told.code, told.name, told.value) for told in found.attributes] == [
        ("material", "Material", "steel"),
        ("colours", "Colours", ["red", "blue"]),
    ]
    assert [[choice.name for choice in told.choices] for told in found.attributes] == [
        ["Steel"],
        ["Red", "Blue"],
    ]
    [variant] = found.variants
    assert (variant.barcode, variant.weight_g, variant.tax_class) == (
        "4006381333931",
        310,
        "reduced",
    )
    assert (variant.length_mm, variant.width_mm, variant.height_mm) == (90, 80, 110)
    assert [told.value for told in variant.attributes] == ["matt"]
    assert variant.price.price == Money(1250, "GBP")
    assert shown("external:erp-1", now, locale="de").product.name == "Reisebecher"
    assert shown("the-mug", now, locale="fr").product.name == "Travel mug"
    assert StockItem.objects.get().sku == "MUG"
    assert Price.objects.count() == 2


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
def test_an_edit_of_nothing_writes_nothing(edit: Edit, now: datetime) -> None:
    product_id = products.product(now=now)
    assert edit(product_id, name="White metal lantern", variants={"71053": {"unit": "piece"}}) == ()
    assert Product.objects.get().version == 1
    assert facts(product_id) == ["product_created"]


@pytest.mark.django_db
def test_an_edit_is_one_statement_and_tells_what_changed(edit: Edit, now: datetime) -> None:
    product_id = products.product(now=now)
    with CaptureQueriesContext(connections[alias_of("products")]) as statements:
        edit(
            product_id,
            name="Lantern",
            slug="lantern",
            texts={"de": {"name": "Laterne"}},
            variants={"71053": {"barcode": "X1"}},
        )
    [write] = [q["sql"] for q in statements.captured_queries if 'UPDATE "products_pro' in q["sql"]]
    for part in ('"products_variant"', '"products_producttext"', '"products_productslug"'):
        assert part in write
    assert "platform_outboxmessage" in write
    [message] = OutboxMessage.objects.using(alias_of("products")).filter(
        name="products.product_updated"
    )
    assert '"changed":["name","slug","texts","variants"]' in message.payload


@pytest.mark.django_db
def test_external_ids_belong_to_one_product_and_one_variant(edit: Edit, now: datetime) -> None:
    first = products.product(now=now, sku="A", external_id="1")
    second = products.product(now=now, sku="B")
    with pytest.raises(ExternalIdTaken):
        edit(second, external_id="1")
    with pytest.raises(ExternalIdTaken):
        products.product(now=now, sku="C", external_id="1")
    edit(first, external_id=None, variants={"A": {"external_id": "v"}})
    edit(second, external_id="1")
    with pytest.raises(ExternalIdTaken):
        edit(second, variants={"B": {"external_id": "v"}})


@pytest.mark.django_db
def test_old_slugs_lead_on_and_are_given_to_nobody_else(edit: Edit, now: datetime) -> None:
    first = products.product(now=now, sku="A", name="Lantern")
    edit(first, slug="lamp")
    edit(first, slug="light")
    prices = PricesFor(currency="GBP", now=now)
    for old in ("lantern", "lamp"):
        found = queries.product_shown(old, prices=prices, locale="en", hidden_too=False)
        assert found == Moved(slug="light")
    second = products.product(now=now, sku="B", name="Lantern")
    assert Product.objects.get(pk=second).slug == "lantern-2"
    for taken in ("lamp", "light"):
        with pytest.raises(SlugTaken):
            edit(second, slug=taken)
        with pytest.raises(SlugTaken):
            products.product(now=now, sku="C", slug=taken)
    edit(first, slug="lantern")
    assert ProductSlug.objects.filter(product_id=first).count() == 3


@pytest.mark.django_db
def test_the_old_slug_of_what_is_hidden_leads_nowhere(edit: Edit, now: datetime) -> None:
    product_id = products.product(now=now, name="Lantern", status="draft")
    edit(product_id, slug="lamp")
    prices = PricesFor(currency="GBP", now=now)
    for name in ("lantern", "lamp", str(product_id)):
        with pytest.raises(ProductNotFound):
            queries.product_shown(name, prices=prices, locale="en", hidden_too=False)


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
def test_variants_are_added_with_prices_and_stock(now: datetime) -> None:
    product_id = products.product(now=now, sku="A")
    new = NewVariant(sku="B", prices=(Money(500, "GBP"),), backorder_limit=3)
    variants.add_variants(product_id=product_id, version=1, variants=[new], actor_id=None, now=now)
    assert [variant.sku for variant in shown(product_id, now).variants] == ["A", "B"]
    assert StockItem.objects.get(sku="B").backorder_limit == 3
    assert facts(product_id) == ["product_created", "product_updated"]
    with pytest.raises(SkuTaken, match="A"):
        variants.add_variants(
            product_id=product_id,
            version=None,
            variants=[NewVariant(sku="C"), NewVariant(sku="A")],
            actor_id=None,
            now=now,
        )
    assert not Variant.objects.filter(sku="C").exists()


@pytest.mark.django_db
def test_a_retired_variant_is_neither_shown_nor_sold_but_kept(now: datetime) -> None:
    product_id = products.product(now=now, sku="A", stock=5)
    new = NewVariant(sku="B", prices=(Money(500, "GBP"),))
    variants.add_variants(
        product_id=product_id, version=None, variants=[new], actor_id=None, now=now
    )
    for _ in range(2):
        assert variants.retire_variant(sku="A", version=None, now=now) == product_id
    assert [variant.sku for variant in shown(product_id, now).variants] == ["B"]
    found = offers({"A": 1, "B": 1}, currency="GBP", now=now)
    assert {sku: offer.active for sku, offer in found.items()} == {"A": False, "B": True}
    assert StockItem.objects.get(sku="A").on_hand == 5
    assert facts(product_id).count("product_updated") == 2
    with pytest.raises(SkuTaken):
        products.product(now=now, sku="A")
    variants.edit_variant(sku="A", version=None, now=now, retired=False)
    assert [variant.sku for variant in shown(product_id, now).variants] == ["A", "B"]
    with pytest.raises(VariantNotFound):
        variants.retire_variant(sku="nope", version=None, now=now)


@pytest.mark.django_db
def test_the_faults_of_a_variant_point_into_what_was_sent(mug: str, now: datetime) -> None:
    products.product(now=now, product_type=mug, attributes={"material": "glass"})
    with pytest.raises(InvalidProduct) as refused:
        variants.edit_variant(
            sku="71053", version=None, now=now, barcode="12345678", attributes={"finish": 1}
        )
    assert [(fault.pointer, fault.code) for fault in refused.value.errors] == [
        ("/attributes/finish", "invalid_attribute_value"),
        ("/barcode", "invalid_barcode"),
    ]


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
