"""Products that are made, edited and found."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from domains.products.errors import (
    ExternalIdTaken,
    InvalidProduct,
    ProductNotFound,
    SkuTaken,
    SlugTaken,
    VariantNotFound,
)
from domains.products.models import Price, Product, ProductSlug, StockItem, Variant
from domains.products.public import NewProduct, NewVariant, offers
from domains.products.queries import products as queries
from domains.products.queries.categories import Moved
from domains.products.queries.prices import PricesFor
from domains.products.services import products as services
from domains.products.services import variants
from infrastructure.database.contexts import alias_of
from infrastructure.money import Money
from infrastructure.outbox.models import OutboxMessage
from tests.support.factories import products
from tests.support.products import Edit, facts, shown


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
