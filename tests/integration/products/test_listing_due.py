"""What changes the listing of many products at once does a little now and the rest by and by."""

from __future__ import annotations

import signal
from datetime import datetime

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from domains.products.models import Listing, ListingDue, ProductType, listing_due
from domains.products.public import NewProduct, NewVariant, create_products
from domains.products.rules.attributes import Kind
from domains.products.rules.types import AttributeTerms, ChoiceTerms
from domains.products.services import categories, listing, types
from domains.products.tasks import refresh_due_listings
from infrastructure.database.contexts import alias_of
from infrastructure.database.threads import in_threads
from tests.support.factories import products
from tests.support.files import bring, counts
from tests.support.listing import contents
from tests.support.workers import go_on, told_to_go_on, until_forgotten

GLASS = AttributeTerms(
    code="glass",
    name="Glass",
    kind=Kind.CHOICE,
    choices=(ChoiceTerms(code="clear", name="Clear"),),
    filterable=True,
)


@pytest.fixture(autouse=True)
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing_due, "AT_ONCE", 4)
    monkeypatch.setattr(listing_due, "BATCH", 3)


def lanterns(count: int, *, now: datetime) -> None:
    """In one category, of one type; and one product that has neither."""
    products.category(name="Lights", now=now)
    types.create_type(code="lantern", name="Lantern", attributes=(GLASS,), now=now)
    create_products(
        products=[
            NewProduct(
                name=f"Lantern {number}",
                status="active",
                product_type="lantern" if number else None,
                attributes={"glass": "clear"} if number else {},
                categories=("lights",) if number else (),
                variants=(NewVariant(sku=f"L{number}"),),
            )
            for number in range(count + 1)
        ],
        now=now,
    )


def rename(name: str, *, now: datetime) -> None:
    category_id = categories.category_ids(["lights"])["lights"]
    categories.edit_category(category_id=category_id, version=None, name=name, now=now)


def filterable(yes: bool, *, now: datetime) -> None:
    attributes = [
        AttributeTerms(
            code="glass",
            name="Glass",
            kind=Kind.CHOICE,
            choices=GLASS.choices,
            filterable=yes,
        )
    ]
    types.edit_type(code="lantern", version=None, attributes=attributes, now=now)


def found(word: str) -> int:
    return sum(f"'{word}'" in str(document) for document in documents())


def documents() -> list[object]:
    return list(Listing.objects.values_list("document", flat=True))


def filtered() -> int:
    return Listing.objects.filter(tokens__contains=["glass=clear"]).count()


@pytest.mark.django_db
def test_few_products_are_listed_anew_at_once(now: datetime) -> None:
    lanterns(4, now=now)
    rename("Lamps", now=now)
    filterable(False, now=now)
    assert (found("lamp"), filtered(), ListingDue.objects.count()) == (4, 0, 0)


@pytest.mark.django_db
@pytest.mark.parametrize("count", [5, 6, 7])
def test_many_are_listed_anew_by_the_task(count: int, now: datetime) -> None:
    lanterns(count, now=now)
    with CaptureQueriesContext(connections[alias_of("products")]) as statements:
        rename("Lamps", now=now)
    assert not any("products_listing " in query["sql"] for query in statements)
    filterable(False, now=now)
    assert (found("lamp"), filtered(), ListingDue.objects.count()) == (0, count, 2)
    refresh_due_listings()
    assert (found("lamp"), filtered(), ListingDue.objects.count()) == (count, 0, 0)


@pytest.mark.django_db
def test_imports_do_the_same(now: datetime) -> None:
    lanterns(6, now=now)
    assert counts(bring("categories", "slug,name\nlights,Lamps\n", now=now)) == (0, 1, 0, 0)
    file = (
        "code,attribute,attribute_name,kind,choices,filterable\n"
        "lantern,glass,Glass,choice,clear=Clear,false\n"
    )
    assert counts(bring("product-types", file, now=now)) == (0, 1, 0, 0)
    assert ProductType.objects.get().version == 2
    assert (found("lamp"), filtered(), ListingDue.objects.count()) == (0, 6, 2)
    refresh_due_listings()
    assert (found("lamp"), filtered(), ListingDue.objects.count()) == (6, 0, 0)


@pytest.mark.django_db
def test_what_is_renamed_while_it_is_due_ends_with_its_last_name(now: datetime) -> None:
    lanterns(8, now=now)
    rename("Lamps", now=now)
    assert listing.refresh_next()
    assert found("lamp") == 3
    rename("Torches", now=now)
    refresh_due_listings()
    assert (found("lamp"), found("torch"), ListingDue.objects.count()) == (0, 8, 0)


@pytest.mark.django_db(transaction=True)
def test_workers_and_staff_at_once_leave_nothing_due(now: datetime) -> None:
    lanterns(9, now=now)

    def work(number: int) -> None:
        if number % 3 == 0:
            rename(f"Torches {number}", now=now)
        elif number % 3 == 1:
            filterable(number % 2 == 0, now=now)
        else:
            refresh_due_listings()

    in_threads(work, range(30), threads=6)
    rename("Lamps", now=now)
    filterable(True, now=now)
    refresh_due_listings()
    assert (found("lamp"), filtered(), ListingDue.objects.count()) == (9, 9, 0)


@pytest.mark.faults
@pytest.mark.django_db(transaction=True)
def test_a_killed_worker_leaves_the_rest_to_the_next(now: datetime) -> None:
    lanterns(60, now=now)
    rename("Lamps", now=now)
    with told_to_go_on("tests.support.listing_process", "2") as worker:
        for _ in range(2):
            go_on(worker, after="refreshed")
        # At work on the next, or about to be.
        worker.kill()
    assert worker.returncode == -signal.SIGKILL
    until_forgotten()

    done = found("lamp")
    assert 4 <= done < 60
    [due] = ListingDue.objects.all()
    behind = Listing.objects.filter(product_id__lte=due.after, category_ids__len=1)
    assert behind.count() == done
    before = contents()["products"]
    refresh_due_listings()
    assert (found("lamp"), ListingDue.objects.count()) == (60, 0)
    assert len(contents()["products"]) == len(before) == 61
