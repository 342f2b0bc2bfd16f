"""The page of a product."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from domains.products.models import Price, PriceEntry, Product, StockItem
from domains.products.services import categories, prices
from domains.products.services.products import (
    NewProduct,
    NewVariant,
    create_product,
    edit_product,
)
from infrastructure.database.contexts import alias_of
from infrastructure.money import Money
from tests.support.admin_pages import filled, text_of
from tests.support.factories import products
from tests.support.product_pages import ADD, lamp, page_of, prefix_of, prices_page

pytestmark = pytest.mark.django_db


def test_a_product_is_made_with_variants_prices_and_attributes(
    clerk: Client, now: datetime
) -> None:
    lamp(now)
    products.category(name="Home", now=now)
    home = categories.category_ids(["home"])["home"]
    form = filled(clerk.get(reverse(ADD))) | {
        "name": "Desk lamp",
        "status": "active",
        "product_type": "lamp",
        "main_category": str(home),
        "attr_material": "tin",
        "attr_power": "7.5",
        "attr_dimmable": "true",
        "attr_since": "2026-03-31",
        "attr_rooms": ["attic", "hall"],
        "text_de_name": "Schreibtischlampe",
        "new0-sku": "L-1",
        "new0-price": "12.30",
        "new0-options": "Colour: red; Size: M",
        "new0-attr_hue": "warm",
        "new0-weight_g": "800",
        "new0-unit": "piece",
        "new0-backorder_limit": "4",
    }
    answer = clerk.post(reverse(ADD), form)
    product = Product.objects.get()
    assert (answer.status_code, answer.headers["Location"]) == (302, page_of(product.pk))
    assert (product.name, product.slug, product.status) == ("Desk lamp", "desk-lamp", "active")
    assert product.attributes == {
        "material": "tin",
        "power": 7.5,
        "dimmable": True,
        "since": "2026-03-31",
        "rooms": ["hall", "attic"],
    }
    assert [link.category_id for link in product.categories] == [home]
    assert [(row.locale, row.name) for row in product.texts] == [("de", "Schreibtischlampe")]
    [variant] = product.variants
    assert (variant.sku, variant.weight_g, variant.attributes) == ("L-1", 800, {"hue": "warm"})
    assert variant.options == {"Colour": "red", "Size": "M"}
    assert Price.objects.get().money == Money(1230, "GBP")
    assert StockItem.objects.get().backorder_limit == 4


def test_what_a_type_lacks_is_told_next_to_its_field_and_nothing_is_written(
    clerk: Client, now: datetime
) -> None:
    lamp(now)
    form = filled(clerk.get(reverse(ADD))) | {
        "name": "Desk lamp",
        "status": "active",
        "product_type": "lamp",
        "new0-sku": "L-1",
        "new0-price": "12.30",
        "new0-barcode": "4006381333932",
        "new0-unit": "piece",
    }
    page = clerk.post(reverse(ADD), form)
    sheet = page.context["sheet"]
    assert sheet.form.errors == {"attr_material": ["material is required."]}
    assert sheet.added[0].errors == {"barcode": ["The check digit of 4006381333932 is wrong."]}
    assert Product.objects.count() == 0


def test_a_sku_that_exists_is_told_at_its_row(clerk: Client, now: datetime) -> None:
    products.product(now=now, sku="A")
    form = filled(clerk.get(reverse(ADD))) | {
        "name": "Other",
        "new0-sku": "A",
        "new0-price": "1",
        "new0-unit": "piece",
    }
    page = clerk.post(reverse(ADD), form)
    assert page.context["sheet"].added[0].errors == {"sku": ["The SKU A exists already."]}
    assert Product.objects.count() == 1


def test_showing_the_attributes_of_a_type_saves_nothing_and_complains_of_nothing(
    clerk: Client, now: datetime
) -> None:
    lamp(now)
    form = filled(clerk.get(reverse(ADD))) | {"product_type": "lamp", "reload": "yes"}
    page = clerk.post(reverse(ADD), form)
    assert 'name="attr_material"' in text_of(page)
    assert "errorlist" not in text_of(page)
    assert Product.objects.count() == 0


def test_a_page_that_nobody_touched_changes_nothing_when_it_is_saved(
    clerk: Client, now: datetime
) -> None:
    product_id = create_product(
        product=NewProduct(
            name="Lantern",
            description="White.\nOf metal.\n",
            seo_title="A lantern",
            external_id="erp-1",
            texts={"de": {"name": "Laterne", "description": "Weiß.\nAus Blech."}},
            variants=(
                NewVariant(
                    sku="A",
                    prices=(Money(339, "GBP"),),
                    options={"Size": "M", "Colour": "red; white"},
                    weight_g=300,
                ),
            ),
        ),
        actor_id=None,
        now=now,
    )
    before = Product.objects.get().version
    form = filled(clerk.get(page_of(product_id)))
    # As browsers send them.
    form = {
        name: value.replace("\n", "\r\n") if isinstance(value, str) else value
        for name, value in form.items()
    }
    assert clerk.post(page_of(product_id), form).status_code == 302
    assert Product.objects.get().version == before
    assert PriceEntry.objects.count() == 1


def test_everything_on_a_page_is_saved_together(clerk: Client, now: datetime) -> None:
    product_id = products.product(now=now, sku="A", price_minor=300)
    key = prefix_of("A")
    form = filled(clerk.get(page_of(product_id))) | {
        "name": "Better lantern",
        "slug": "better-lantern",
        f"{key}-price": "3.50",
        f"{key}-options": "Size: S",
        "new_variants": "new7",
        "new7-sku": "B",
        "new7-price": "4.00",
        "new7-options": "Size: M",
        "new7-unit": "piece",
        "new7-tax_class": "standard",
    }
    assert clerk.post(page_of(product_id), form).status_code == 302
    product = Product.objects.get()
    assert (product.name, product.slug) == ("Better lantern", "better-lantern")
    assert [(one.sku, one.options) for one in product.variants] == [
        ("A", {"Size": "S"}),
        ("B", {"Size": "M"}),
    ]
    assert {(one.sku, str(one.money)) for one in Price.objects.all()} == {
        ("A", "3.50 GBP"),
        ("B", "4.00 GBP"),
    }


def test_one_fault_keeps_all_of_a_page_from_being_saved(clerk: Client, now: datetime) -> None:
    products.product(now=now, sku="B", name="Other")
    product_id = products.product(now=now, sku="A", price_minor=300)
    form = filled(clerk.get(page_of(product_id))) | {
        "name": "Better lantern",
        f"{prefix_of('A')}-price": "3.50",
        "new_variants": "new0",
        "new0-sku": "B",
        "new0-price": "4.00",
        "new0-options": "Size: M",
        "new0-unit": "piece",
        "new0-tax_class": "standard",
        f"{prefix_of('A')}-options": "Size: S",
    }
    page = clerk.post(page_of(product_id), form)
    assert page.context["sheet"].added[0].errors == {"sku": ["The SKU B exists already."]}
    assert Product.objects.get(pk=product_id).name == "White metal lantern"
    assert Price.objects.get(sku="A").money == Money(300, "GBP")


def test_the_second_of_two_editors_is_told_and_overwrites_nothing(
    clerk: Client, now: datetime
) -> None:
    product_id = products.product(now=now, sku="A")
    form = filled(clerk.get(page_of(product_id))) | {"name": "Mine"}
    edit_product(product_id=product_id, version=None, now=now, name="Theirs")
    page = clerk.post(page_of(product_id), form)
    assert page.status_code == 200
    assert "Somebody else changed this product while you did." in text_of(page)
    assert 'value="Mine"' in text_of(page)
    assert Product.objects.get().name == "Theirs"


def test_a_price_that_somebody_else_set_meanwhile_is_not_overwritten(
    clerk: Client, now: datetime
) -> None:
    product_id = products.product(now=now, sku="A", price_minor=300)
    form = filled(clerk.get(page_of(product_id))) | {f"{prefix_of('A')}-price": "3.50"}
    prices.set_price(sku="A", money=Money(320, "GBP"), actor_id=None, now=now)
    page = clerk.post(page_of(product_id), form)
    [row] = page.context["sheet"].variants
    assert row.errors == {
        "price": ["The price of A was changed meanwhile. Nothing was saved; look again."]
    }
    assert Price.objects.get().money == Money(320, "GBP")


def test_a_variant_is_taken_off_sale_and_the_last_one_is_not(clerk: Client, now: datetime) -> None:
    product_id = products.product(now=now, sku="A")
    form = filled(clerk.get(page_of(product_id)))
    del form[f"{prefix_of('A')}-on_sale"]
    page = clerk.post(page_of(product_id), form)
    assert page.context["sheet"].form.errors == {
        "status": ["A product on sale keeps at least one variant."]
    }
    assert clerk.post(page_of(product_id), form | {"status": "draft"}).status_code == 302
    [variant] = Product.objects.get().variants
    assert variant.retired_at is not None


def test_an_archived_product_is_shown_and_stays(clerk: Client, now: datetime) -> None:
    product_id = products.product(now=now, sku="A", status="archived")
    page = clerk.get(page_of(product_id))
    assert "it is out of the catalogue for good" in text_of(page)
    assert "<fieldset disabled>" in text_of(page)
    clerk.post(page_of(product_id), filled(page) | {"name": "Back again"})
    assert Product.objects.get().name == "White metal lantern"


@pytest.mark.parametrize("count", [1, 60])
def test_a_page_costs_the_same_statements_however_many_variants(
    clerk: Client, now: datetime, count: int
) -> None:
    product_id = create_product(
        product=NewProduct(
            name="Lantern",
            variants=tuple(
                NewVariant(sku=f"S{n}", options={"Size": str(n)}, prices=(Money(100, "GBP"),))
                for n in range(count)
            ),
        ),
        actor_id=None,
        now=now,
    )
    with CaptureQueriesContext(connections[alias_of("products")]) as statements:
        page = clerk.get(page_of(product_id))
    assert len(page.context["sheet"].variants) == count
    # Whether it is there; the product with its type; variants, categories and texts; prices and
    # stock; the types to choose from.
    about_products = [one["sql"] for one in statements if "products_" in one["sql"]]
    assert len(about_products) == 7


@pytest.mark.parametrize("malformed", ["no id", "0", "zzzzzzzz-zzzz-zzzz-zzzz-zzzzzzzzzzzz"])
def test_what_is_no_id_leads_to_nothing(clerk: Client, now: datetime, malformed: str) -> None:
    product_id = products.product(now=now, sku="A")
    stock = clerk.get(reverse("admin:products_stockitem_changelist"), {"product": malformed})
    assert list(stock.context["cl"].result_list) == []
    page = clerk.post(prices_page(product_id), {"end": malformed}, follow=True)
    assert [str(one) for one in page.context["messages"]] == ["That price is not there."]
    pictures = reverse("admin:products_product_pictures", args=[product_id])
    page = clerk.post(pictures, {"do": f"remove:{malformed}"}, follow=True)
    assert [str(one) for one in page.context["messages"]] == ["That picture is not there any more."]
