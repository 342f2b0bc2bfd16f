from __future__ import annotations

from collections import namedtuple
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from infrastructure.database.contexts import alias_of
from infrastructure.http.errors import InvalidCursor
from infrastructure.http.pagination import page
from infrastructure.http.types import PageQuery
from tests.support.http import ParcelFilters
from tests.support.sample.models import Parcel

pytestmark = pytest.mark.django_db

NEWEST = ("-packed_at", "-id")
OLDEST = ("packed_at", "id")
MIXED = ("fragile", "-packed_at", "label")


@pytest.fixture(autouse=True)
def _sample_api(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.support.http"


def pack(now: datetime, minutes: int, label: str, **fields: Any) -> Parcel:
    return Parcel.pack(label=label, names=[], now=now + timedelta(minutes=minutes), **fields)


def walk(order: tuple[str, ...], limit: int, **options: Any) -> list[list[str]]:
    pages, cursor = [], None
    while True:
        found = page(Parcel.objects.all(), cursor, limit, order=order, **options)
        pages.append([parcel.label for parcel in found.items])
        cursor = found.next
        if cursor is None:
            return pages


def test_a_walk_shows_every_row_once_in_order(now: datetime) -> None:
    # Three of a kind at each instant, so that the order rests on the tie-breaker.
    Parcel.objects.add_all([pack(now, n // 3, f"p{n:02}") for n in range(20)])
    shown = [label for labels in walk(OLDEST, 7) for label in labels]
    by_time = Parcel.objects.order_by("packed_at", "id").values_list("label", flat=True)
    assert shown == list(by_time)
    assert walk(NEWEST, 6)[0] == list(reversed(shown))[:6]
    assert [len(labels) for labels in walk(NEWEST, 6)] == [6, 6, 6, 2]
    assert [len(labels) for labels in walk(NEWEST, 10)] == [10, 10]


def test_directions_may_be_mixed(now: datetime) -> None:
    Parcel.objects.add_all([pack(now, n % 4, f"p{n:02}", fragile=n % 3 == 0) for n in range(17)])
    shown = [label for labels in walk(MIXED, 4) for label in labels]
    wanted = Parcel.objects.order_by(*MIXED).values_list("label", flat=True)
    assert shown == list(wanted)


def test_an_empty_list_is_one_empty_page(now: datetime) -> None:
    assert walk(NEWEST, 5) == [[]]


@hypothesis(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    stored=st.lists(st.integers(0, 9), max_size=15),
    inserted=st.lists(st.lists(st.integers(-2, 12), max_size=4), max_size=6),
    limit=st.integers(1, 6),
    order=st.sampled_from([NEWEST, OLDEST]),
)
def test_inserts_during_a_walk_neither_repeat_nor_hide_rows(
    now: datetime,
    stored: list[int],
    inserted: list[list[int]],
    limit: int,
    order: tuple[str, ...],
) -> None:
    Parcel.objects.all()._raw_delete(alias_of("orders"))
    Parcel.objects.add_all([pack(now, m, f"stored {n}") for n, m in enumerate(stored)])
    shown: list[str] = []
    cursor, turn = None, 0
    while True:
        found = page(Parcel.objects.all(), cursor, limit, order=order)
        shown += [parcel.label for parcel in found.items]
        if found.next is None:
            break
        cursor = found.next
        if turn < len(inserted):
            between = [pack(now, m, f"new {turn} {n}") for n, m in enumerate(inserted[turn])]
            Parcel.objects.add_all(between)
        turn += 1
    assert len(shown) == len(set(shown))
    assert {f"stored {n}" for n in range(len(stored))} <= set(shown)


def test_a_cursor_belongs_to_its_filters_and_its_order(now: datetime) -> None:
    Parcel.objects.add_all([pack(now, n, f"p{n}") for n in range(4)])
    parcels = Parcel.objects.all()
    cursor = page(parcels, None, 2, order=NEWEST, filters=ParcelFilters(fragile=False)).next
    assert cursor is not None
    same = ParcelFilters(fragile=False, limit=50, cursor=cursor)
    assert len(page(parcels, cursor, 50, order=NEWEST, filters=same).items) == 2
    for order, filters in (
        (NEWEST, ParcelFilters(fragile=True)),
        (NEWEST, ParcelFilters(fragile=False, label=["p1"])),
        (NEWEST, PageQuery()),
        (NEWEST, None),
        (OLDEST, ParcelFilters(fragile=False)),
    ):
        with pytest.raises(InvalidCursor):
            page(parcels, cursor, 2, order=order, filters=filters)


def test_a_cursor_that_was_tampered_with_is_refused(now: datetime) -> None:
    Parcel.objects.add_all([pack(now, n, f"p{n}") for n in range(3)])
    cursor = page(Parcel.objects.all(), None, 2, order=NEWEST).next
    assert cursor is not None
    flipped = cursor[:-2] + ("A" if cursor[-2] != "A" else "B") + cursor[-1]
    for bad in (flipped, "x", "!!", "", "a" * 999, cursor + "AAAA", "é"):
        if bad:
            with pytest.raises(InvalidCursor):
                page(Parcel.objects.all(), bad, 2, order=NEWEST)


def test_a_page_is_one_statement_and_starts_in_the_index(
    now: datetime, django_assert_num_queries: Any
) -> None:
    Parcel.objects.add_all([pack(now, n, f"p{n}") for n in range(6)])
    cursor = page(Parcel.objects.all(), None, 2, order=NEWEST).next
    with django_assert_num_queries(1) as captured:
        page(Parcel.objects.all(), cursor, 2, order=NEWEST)
    assert '"packed_at" <= ' in captured[0]["sql"]
    assert "LIMIT 3" in captured[0]["sql"]


def test_a_hand_written_query_is_paged_in_the_same_way(now: datetime) -> None:
    row = namedtuple("row", "at id")
    rows = [row(now + timedelta(minutes=n // 2), n) for n in range(7)]

    def source(after: tuple[Any, ...] | None, limit: int) -> list[row]:
        return [r for r in rows if after is None or (r.at, r.id) > after][:limit]

    cursor, shown = None, []
    while True:
        found = page(source, cursor, 3, order=("at", "id"))
        shown += found.items
        cursor = found.next
        if cursor is None:
            break
    assert shown == rows


def test_a_list_over_http_links_to_its_next_page(now: datetime) -> None:
    Parcel.objects.add_all([pack(now, n, f"p{n}") for n in range(3)])
    api = Client()
    first = api.get("/api/v1/parcels?limit=2&fragile=false")
    body = first.json()
    assert [item["label"] for item in body["items"]] == ["p2", "p1"]
    assert first.headers["Link"] == (
        f'</api/v1/parcels?limit=2&fragile=false&cursor={quote(body["next"])}>; rel="next"'
    )
    second = api.get(f"/api/v1/parcels?limit=2&fragile=false&cursor={body['next']}")
    assert [item["label"] for item in second.json()["items"]] == ["p0"]
    assert second.json()["next"] is None
    assert "Link" not in second.headers
    other = api.get(f"/api/v1/parcels?limit=2&fragile=true&cursor={body['next']}")
    assert (other.status_code, other.json()["code"]) == (400, "invalid_cursor")
