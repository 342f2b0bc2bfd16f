"""The tree of categories, product types, price lists and channels in the admin."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from domains.products.models import Category, Channel, Price, PriceList, ProductType
from domains.products.queries.categories import category_tree
from domains.products.services import categories, price_lists, prices, types
from domains.products.services.products import edit_product
from infrastructure.database.contexts import alias_of
from infrastructure.money import Money
from tests.support.admin_pages import filled, text_of
from tests.support.factories import products, users
from tests.support.meeting import meet

pytestmark = pytest.mark.django_db

TREE = "admin:products_category_changelist"


def category(name: str, parent: str | None = None, *, now: datetime) -> UUID:
    return products.category(name=name, parent=parent, now=now)


def page_of(category_id: UUID) -> str:
    return reverse("admin:products_category_change", args=[category_id])


def outline(nodes: Any = None) -> list[Any]:
    found = category_tree(locale="en") if nodes is None else nodes
    return [(n.name, outline(n.children)) if n.children else n.name for n in found]


# Categories


def test_the_tree_is_shown_with_its_figures_in_one_statement(clerk: Client, now: datetime) -> None:
    category("Home", now=now)
    category("Lights", "home", now=now)
    products.product(now=now, categories=("lights",))
    with CaptureQueriesContext(connections[alias_of("products")]) as statements:
        page = clerk.get(reverse(TREE))
    assert len([one for one in statements if "products_" in one["sql"]]) == 1
    assert [(n.name, n.products) for n in page.context["nodes"]] == [("Home", 1)]
    assert "2 categories" in text_of(page)


def test_a_search_finds_categories_with_the_way_to_them(clerk: Client, now: datetime) -> None:
    category("Home", now=now)
    category("Lights", "home", now=now)
    page = clerk.get(reverse(TREE), {"q": "LIGHT"})
    assert [path for path, _, _ in page.context["found"]] == ["Home › Lights"]


def test_a_category_is_added_below_another(clerk: Client, now: datetime) -> None:
    category("Home", now=now)
    add = f"{reverse('admin:products_category_add')}?parent=home"
    form = filled(clerk.get(add)) | {"name": "Lights", "text_de_name": "Leuchten"}
    assert clerk.post(add, form).status_code == 302
    assert outline() == [("Home", ["Lights"])]
    assert [row.name for row in Category.objects.get(slug="lights").texts] == ["Leuchten"]


def test_a_category_is_renamed_and_its_slug_is_its_own(clerk: Client, now: datetime) -> None:
    home = category("Home", now=now)
    category("Garden", now=now)
    form = filled(clerk.get(page_of(home))) | {"do": "save", "name": "House", "slug": "house"}
    assert clerk.post(page_of(home), form).status_code == 302
    found = Category.objects.get(pk=home)
    assert (found.name, found.slug) == ("House", "house")
    taken = filled(clerk.get(page_of(home))) | {"do": "save", "slug": "garden"}
    refused = clerk.post(page_of(home), taken)
    assert list(refused.context["form"].errors) == ["slug"]


@pytest.mark.parametrize(
    ("where", "beside", "after"),
    [
        ("into", "B", ["A", ("B", ["C"])]),
        ("before", "A", ["C", "A", "B"]),
        ("after", "A", ["A", "C", "B"]),
        ("top", None, ["A", "B", "C"]),
    ],
)
def test_a_category_is_moved(
    clerk: Client, now: datetime, where: str, beside: str | None, after: list[Any]
) -> None:
    ids = {name: category(name, now=now) for name in "ABC"}
    form = filled(clerk.get(page_of(ids["C"]))) | {
        "do": "move",
        "move-where": where,
        "move-category": str(ids[beside]) if beside else "",
    }
    assert clerk.post(page_of(ids["C"]), form).status_code == 302
    assert outline() == after


def test_a_category_is_not_moved_below_itself(clerk: Client, now: datetime) -> None:
    home = category("Home", now=now)
    lights = category("Lights", "home", now=now)
    form = filled(clerk.get(page_of(home))) | {
        "do": "move",
        "move-where": "into",
        "move-category": str(lights),
    }
    page = clerk.post(page_of(home), form)
    assert page.context["move"].errors == {"category": ["The new place lies below Home."]}
    assert outline() == [("Home", ["Lights"])]


def test_only_an_empty_category_is_removed(clerk: Client, now: datetime) -> None:
    home = category("Home", now=now)
    product_id = products.product(now=now, categories=("home",))
    form = filled(clerk.get(page_of(home))) | {"do": "remove"}
    clerk.post(page_of(home), form)
    assert Category.objects.count() == 1
    edit_product(product_id=product_id, version=None, now=now, categories=())
    clerk.post(page_of(home), form)
    assert Category.objects.count() == 0


def test_the_second_editor_of_a_category_is_told(clerk: Client, now: datetime) -> None:
    home = category("Home", now=now)
    form = filled(clerk.get(page_of(home))) | {"do": "save", "name": "Mine"}
    categories.edit_category(category_id=home, version=None, now=now, name="Theirs")
    page = clerk.post(page_of(home), form)
    assert "Somebody else changed this category while you did." in text_of(page)
    assert Category.objects.get().name == "Theirs"


# Product types

ROW = {
    "rows": "a0",
    "a0-place": "1",
    "a0-code": "material",
    "a0-name": "Material",
    "a0-kind": "choice",
    "a0-level": "product",
    "a0-required": "on",
    "a0-choices": "tin: Tin\nwood: Wood",
    "a0-name_de": "Werkstoff",
    "a0-choices_de": "wood: Holz",
}


def test_a_type_is_made_with_attributes_and_edited(clerk: Client) -> None:
    add = reverse("admin:products_producttype_add")
    assert clerk.post(add, {"code": "lamp", "name": "Lamp", **ROW}).status_code == 302
    lamp = ProductType.objects.get()
    [material] = lamp.attributes
    assert (material.code, material.required, material.names) == (
        "material",
        True,
        {"de": "Werkstoff"},
    )
    assert material.choices == [
        {"code": "tin", "name": "Tin", "names": {}},
        {"code": "wood", "name": "Wood", "names": {"de": "Holz"}},
    ]
    page = reverse("admin:products_producttype_change", args=[lamp.pk])
    form = filled(clerk.get(page))
    assert clerk.post(page, form).status_code == 302
    assert ProductType.objects.get().version == lamp.version
    more = form | {
        "rows": ["a0", "a1"],
        "a0-place": "2",
        "a1-place": "1",
        "a1-code": "power",
        "a1-name": "Power",
        "a1-kind": "number",
        "a1-unit": "W",
        "a1-level": "variant",
    }
    assert clerk.post(page, more).status_code == 302
    assert [one.code for one in ProductType.objects.get().attributes] == ["power", "material"]


def test_faults_of_an_attribute_are_told_in_its_row(clerk: Client) -> None:
    add = reverse("admin:products_producttype_add")
    page = clerk.post(add, {"code": "lamp", "name": "Lamp", **ROW, "a0-choices": ""})
    assert page.context["sheet"].rows[0].errors == {"choices": ["material needs choices."]}
    assert ProductType.objects.count() == 0


def test_what_products_use_is_not_taken_from_a_type(clerk: Client, now: datetime) -> None:
    clerk.post(reverse("admin:products_producttype_add"), {"code": "lamp", "name": "Lamp", **ROW})
    products.product(now=now, product_type="lamp", attributes={"material": "tin"})
    lamp = ProductType.objects.get()
    page = reverse("admin:products_producttype_change", args=[lamp.pk])
    form = filled(clerk.get(page)) | {"a0-remove": "on"}
    refused = clerk.post(page, form)
    assert refused.context["sheet"].form.non_field_errors() == [
        "Products have a value for material."
    ]
    clerk.post(page, form | {"remove": "yes"})
    assert len(ProductType.objects.get().attributes) == 1


def test_the_second_editor_of_a_type_is_told(clerk: Client, now: datetime) -> None:
    types.create_type(code="lamp", name="Lamp", attributes=[], now=now)
    page = reverse("admin:products_producttype_change", args=[ProductType.objects.get().pk])
    form = filled(clerk.get(page)) | {"name": "Mine"}
    types.edit_type(code="lamp", version=None, name="Theirs", now=now)
    assert "Somebody else changed this type" in text_of(clerk.post(page, form))
    assert ProductType.objects.get().name == "Theirs"


# Price lists and channels


def trade(now: datetime) -> str:
    list_id = price_lists.create_price_list(code="trade", name="Trade", currency="GBP", now=now)
    return reverse("admin:products_pricelist_prices", args=[list_id])


def test_a_price_list_is_made_and_edited(clerk: Client) -> None:
    clerk.post(reverse("admin:products_channel_add"), {"code": "web", "name": "Our site"})
    assert Channel.objects.get().name == "Our site"
    form = {"code": "trade", "currency": "gbp", "name": "Trade", "priority": "5", "channel": "web"}
    assert clerk.post(reverse("admin:products_pricelist_add"), form).status_code == 302
    found = PriceList.objects.get()
    assert (found.currency, found.priority, found.channel_id) == ("GBP", 5, "web")
    page = reverse("admin:products_pricelist_change", args=[found.pk])
    changed = filled(clerk.get(page)) | {"valid_from": "2030-01-02T00:00"}
    wrong = clerk.post(page, changed | {"valid_until": "2030-01-01T00:00"})
    assert list(wrong.context["form"].errors) == ["valid_until"]
    assert clerk.post(page, changed | {"name": "Shops"}).status_code == 302
    assert PriceList.objects.get().name == "Shops"
    taken = clerk.post(reverse("admin:products_channel_add"), {"code": "web", "name": "Other"})
    assert taken.context["form"].errors == {"code": ["There is a channel with this code."]}


@pytest.mark.django_db(transaction=True)
def test_a_code_of_a_price_list_is_taken_once(clerk: Client, now: datetime) -> None:
    trade(now)
    form = {"code": "trade", "currency": "GBP", "name": "Trade", "priority": "5"}
    page = clerk.post(reverse("admin:products_pricelist_add"), form)
    assert page.context["form"].errors == {"code": ["There is a price list trade already."]}
    assert PriceList.objects.count() == 1


def test_the_grid_sets_what_was_changed_and_nothing_else(clerk: Client, now: datetime) -> None:
    for sku in ("A", "B", "C"):
        products.product(now=now, sku=sku, name=f"Thing {sku}", price_minor=1000)
    grid = trade(now)
    prices.set_price(sku="A", money=Money(900, "GBP"), price_list="trade", actor_id=None, now=now)
    page = clerk.get(grid)
    assert [
        (row.variant.sku, str(row.base), row.field.value()) for row in page.context["rows"]
    ] == [
        ("A", "10.00 GBP", "9.00"),
        ("B", "10.00 GBP", None),
        ("C", "10.00 GBP", None),
    ]
    form = filled(page) | {f"p{products.variant_id('B').hex}": "8.50"}
    answer = clerk.post(grid, form, follow=True)
    assert [str(one) for one in answer.context["messages"]] == ["1 prices of Trade are set."]
    assert {(one.sku, one.amount_minor) for one in Price.objects.filter(list_code="trade")} == {
        ("A", 900),
        ("B", 850),
    }
    only = clerk.get(grid, {"q": "Thing", "priced": "on"})
    assert [row.variant.sku for row in only.context["rows"]] == ["A", "B"]


def test_a_price_of_the_grid_that_was_changed_meanwhile_is_not_overwritten(
    clerk: Client, now: datetime
) -> None:
    products.product(now=now, sku="A")
    grid = trade(now)
    form = filled(clerk.get(grid)) | {f"p{products.variant_id('A').hex}": "8.50"}
    prices.set_price(sku="A", money=Money(900, "GBP"), price_list="trade", actor_id=None, now=now)
    page = clerk.post(grid, form)
    assert page.context["form"].non_field_errors() == [
        "The price of A was changed meanwhile. Nothing was saved; look again."
    ]
    assert Price.objects.get(list_code="trade").amount_minor == 900


@pytest.mark.django_db(transaction=True)
def test_of_two_grids_that_are_sent_at_once_one_is_saved(clerk: Client, now: datetime) -> None:
    products.product(now=now, sku="A")
    grid = trade(now)
    form = filled(clerk.get(grid))
    clients = [clerk, users.admin_client_of(users.staff("catalogue"))]
    outcomes: list[str] = []

    def send(number: int) -> None:
        asked = form | {f"p{products.variant_id('A').hex}": f"8.{number}0"}
        page = clients[number].post(grid, asked)
        faults = [] if page.context is None else page.context["form"].non_field_errors()
        outcomes.append(str(*faults))

    # Both have read what the price is before either sets it.
    meet(lambda: send(0), lambda: send(1), after=r"FROM .?products_price\b")
    assert sorted(outcomes) == [
        "",
        "The price of A was changed meanwhile. Nothing was saved; look again.",
    ]
    assert Price.objects.get(list_code="trade").entries_recorded == 1


@pytest.mark.parametrize("count", [1, 50])
def test_the_grid_costs_the_same_statements_however_long(
    clerk: Client, now: datetime, count: int
) -> None:
    products.stocked({f"S{n:03}": 0 for n in range(count)}, now=now)
    grid = trade(now)
    with CaptureQueriesContext(connections[alias_of("products")]) as statements:
        page = clerk.get(grid)
    assert len(page.context["rows"]) == count
    # The list; how many SKUs; a page of them; its prices and their entries.
    assert len([one for one in statements if "products_" in one["sql"]]) == 5


def test_readers_see_the_grid_and_set_nothing(reader: Client, now: datetime) -> None:
    products.product(now=now, sku="A")
    grid = trade(now)
    page = reader.get(grid)
    assert "Save this page" not in text_of(page)
    form = filled(page) | {f"p{products.variant_id('A').hex}": "8.50"}
    assert reader.post(grid, form).status_code == 403
    assert Price.objects.filter(list_code="trade").count() == 0
