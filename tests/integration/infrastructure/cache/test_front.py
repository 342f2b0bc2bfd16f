"""The same questions to the shop with its front and without: nobody can tell the difference."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_started
from django.db import close_old_connections
from prometheus_client import REGISTRY

from domains.users import services as accounts
from infrastructure.auth import identities
from infrastructure.auth.actor import Actor
from infrastructure.cache.tiers import Cache
from infrastructure.http import front as front_module
from infrastructure.http import views
from infrastructure.http.front import fronted
from tests.support.cached_api import Lamps
from tests.support.caches import installed_cache, invalidate
from tests.support.factories import users
from tests.support.front import Caller
from tests.support.waiting import until

LAMP = "/api/v1/lamps/oil"
# What everybody holds who has an account.
CUSTOMER_SCOPES = ("orders.place", "orders.read_own", "orders.cancel_own")

pytestmark = pytest.mark.django_db


@pytest.fixture
def cache(settings: Any, prefix: str) -> Iterator[Cache]:
    settings.ROOT_URLCONF = "tests.support.cached_api"
    Lamps.loads.clear()
    # The connection of a test has a transaction open, as Django's own client knows.
    request_started.disconnect(close_old_connections)
    with installed_cache(settings, prefix) as cache:
        yield cache
    request_started.connect(close_old_connections)


@pytest.fixture
def front(cache: Cache) -> Caller:
    return Caller(fronted(WSGIHandler()))


@pytest.fixture
def bare(cache: Cache, settings: Any) -> Caller:
    settings.CACHE_FRONT = False
    return Caller(fronted(WSGIHandler()))


@pytest.fixture(params=["front", "bare"])
def shop(request: pytest.FixtureRequest) -> Caller:
    """Either; every test that takes it holds for both."""
    caller: Caller = request.getfixturevalue(request.param)
    return caller


@pytest.fixture
def signed_in(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Who sends an Authorization header is this caller."""

    def sign_in(*scopes: str, group: str | None = None) -> None:
        actor = Actor(id=uuid4(), scopes=frozenset(scopes), customer_group=group)
        monkeypatch.setattr(
            views,
            "authenticate",
            lambda request: actor if "HTTP_AUTHORIZATION" in request.META else None,
        )
        monkeypatch.setattr(front_module, "known_actor", lambda header: actor)

    return sign_in


def answered_in_front() -> float:
    return sum(
        sample.value
        for metric in REGISTRY.collect()
        if metric.name == "http_front_answers"
        for sample in metric.samples
        if sample.name == "http_front_answers_total"
    )


# What both answer

ORDINARY: list[dict[str, str]] = [
    {},
    {"method": "HEAD"},
    {"HTTP_ACCEPT_ENCODING": "gzip"},
    {"HTTP_ACCEPT_ENCODING": "gzip", "method": "HEAD"},
    {"HTTP_ACCEPT_ENCODING": "br"},
    {"HTTP_IF_NONE_MATCH": "*"},
    {"HTTP_IF_NONE_MATCH": '"another"'},
    {"HTTP_ACCEPT": "application/json"},
    {"HTTP_CACHE_CONTROL": "no-cache"},
    {"HTTP_RANGE": "bytes=0-3"},
]
# What the front leaves to Django.
UNUSUAL: list[dict[str, str]] = [
    {"HTTP_HOST": "elsewhere.example"},
    {"HTTP_HOST": ""},
    {"HTTP_ACCEPT": "text/html"},
    {"HTTP_COOKIE": "session=1"},
    {"HTTP_AUTHORIZATION": "Bearer x"},
    {"HTTP_CONSISTENCY_TOKEN": "default:1"},
    {"HTTP_CONSISTENCY_TOKEN": "none"},
    {"method": "POST"},
    {"method": "DELETE"},
    {"method": "OPTIONS"},
]


@pytest.mark.parametrize("asked", ORDINARY, ids=str)
@pytest.mark.parametrize("target", [LAMP, f"{LAMP}?currency=EUR&note=a%20b"])
def test_the_front_answers_what_django_would(
    front: Caller, bare: Caller, target: str, asked: dict[str, str]
) -> None:
    first = bare(target, **asked)
    before = answered_in_front()
    assert front(target, **asked).lasting == first.lasting
    assert answered_in_front() == before + 1
    assert bare(target, **asked).lasting == first.lasting


@pytest.mark.parametrize("asked", UNUSUAL, ids=str)
def test_whatever_is_unusual_goes_to_django(
    front: Caller, bare: Caller, asked: dict[str, str]
) -> None:
    assert bare(LAMP).status == "200 OK"
    before = answered_in_front()
    through, direct = front(LAMP, **asked), bare(LAMP, **asked)
    assert answered_in_front() == before
    assert (through.status, through.headers.keys()) == (direct.status, direct.headers.keys())


@pytest.mark.parametrize(
    "target",
    ["/api/v1/lamps/none", f"{LAMP}?nonsense=1", f"{LAMP}?currency=x", "/health/live", "/nowhere"],
)
def test_what_is_refused_or_no_cached_read_is_answered_by_django(
    front: Caller, bare: Caller, target: str
) -> None:
    before = answered_in_front()
    for _ in range(3):
        assert front(target).status == bare(target).status
    assert answered_in_front() == before
    times = 6 if target.endswith("none") else 0
    assert Lamps.loads == ['["none","GBP","en",null,null]'] * times


def test_the_answer_says_who_may_keep_it_and_for_how_long(shop: Caller) -> None:
    shop(LAMP)
    answer = shop(LAMP)
    assert answer.status == "200 OK"
    assert answer.headers["Cache-Control"] == (
        "public, max-age=5, s-maxage=10, stale-while-revalidate=30"
    )
    assert answer.headers["Vary"] == "Accept-Encoding, Authorization, Consistency-Token"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert answer.headers["Link"] == "<x>"
    assert answer.headers["ETag"].startswith('"v3-')
    assert "RateLimit" not in answer.headers


def test_the_bytes_are_loaded_once_whoever_asks_and_however(shop: Caller) -> None:
    targets = [
        f"{LAMP}?currency=EUR&note=x+y",
        f"{LAMP}?note=x%20y&currency=EUR",
        f"{LAMP}?%6eote=x+y&currency=EUR",
    ]
    for target in targets * 3:
        assert shop(target).status == "200 OK"
    assert Lamps.loads == ['["oil","EUR","en",null,null]']


def test_who_has_it_gets_304(shop: Caller) -> None:
    for encoding in ("", "gzip"):
        first = shop(LAMP, HTTP_ACCEPT_ENCODING=encoding)
        etag = first.headers["ETag"]
        again = shop(LAMP, HTTP_ACCEPT_ENCODING=encoding, HTTP_IF_NONE_MATCH=etag)
        assert (again.status, again.body) == ("304 Not Modified", b"")
        assert again.headers["ETag"] == etag
        assert "Content-Type" not in again.headers


def test_gzip_is_what_was_stored(shop: Caller) -> None:
    plain, zipped = shop(LAMP), shop(LAMP, HTTP_ACCEPT_ENCODING="gzip")
    assert gzip.decompress(zipped.body) == plain.body
    assert zipped.headers["ETag"] == plain.headers["ETag"][:-1] + '-gzip"'
    assert Lamps.loads == ['["oil","GBP","en",null,null]']


def test_after_an_invalidation_everybody_sees_the_new(
    shop: Caller, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = shop(LAMP)
    monkeypatch.setattr(Lamps, "text", "a new lamp")
    invalidate(cache, ["lamp:other"])
    assert shop(LAMP).lasting == old.lasting
    invalidate(cache, ["lamp:oil"])
    until(lambda: len(cache.local) == 0)
    new = shop(LAMP)
    assert b"a new lamp" in new.body
    assert new.headers["ETag"] != old.headers["ETag"]


def test_the_callers_request_id_comes_back_and_others_get_one_each(shop: Caller) -> None:
    shop(LAMP)
    given = "0123456789abcdef-mine"
    assert shop(LAMP, HTTP_X_REQUEST_ID=given).headers["X-Request-ID"] == given
    trace = "0af7651916cd43dd8448eb211c80319c"
    traced = shop(LAMP, HTTP_TRACEPARENT=f"00-{trace}-b7ad6b7169203331-01")
    assert traced.headers["X-Request-ID"] == trace
    odd = shop(LAMP, HTTP_X_REQUEST_ID="<script>").headers["X-Request-ID"]
    assert (len(odd), odd.isalnum()) == (32, True)
    assert shop(LAMP).headers["X-Request-ID"] != shop(LAMP).headers["X-Request-ID"]


def test_over_plain_http_nothing_is_served_where_https_is_demanded(
    shop: Caller, settings: Any
) -> None:
    shop(LAMP)
    settings.HTTPS_ONLY = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert shop(LAMP).status == "403 Forbidden"
    assert shop(LAMP, HTTP_X_FORWARDED_PROTO="http").status == "403 Forbidden"
    assert shop(LAMP, HTTP_X_FORWARDED_PROTO="https").status == "200 OK"


# Audiences


def test_customer_groups_are_never_mixed_up(shop: Caller, signed_in: Callable[..., None]) -> None:
    token = {"HTTP_AUTHORIZATION": "Bearer x"}
    seen: dict[str | None, bytes] = {}
    for group in ("wholesale", "staff", None, "wholesale", "staff", None):
        signed_in(group=group)
        answer = shop(LAMP, **token)
        assert answer.headers["Cache-Control"] == "private, no-cache"
        assert seen.setdefault(group, answer.body) == answer.body
        anonymous = shop(LAMP)
        assert anonymous.body == seen.get(None, anonymous.body)
        assert b"null,null]" in anonymous.body
    assert len(set(seen.values())) == 3
    assert len(Lamps.loads) == 3


def test_every_part_of_the_audience_tells_bodies_apart(shop: Caller) -> None:
    targets = [LAMP, *(f"{LAMP}?{query}" for query in ("currency=EUR", "locale=de", "channel=b2b"))]
    bodies = {shop(target).body for target in targets * 2}
    assert len(bodies) == 4
    assert len(Lamps.loads) == 4


def test_who_sees_drafts_is_shown_nothing_kept_and_leaves_nothing(
    shop: Caller, signed_in: Callable[..., None], cache: Cache
) -> None:
    shop(LAMP)
    Lamps.loads.clear()
    kept = len(cache.local)
    signed_in("catalogue.read", *CUSTOMER_SCOPES)
    for _ in range(2):
        answer = shop(LAMP, HTTP_AUTHORIZATION="Bearer x")
        assert answer.headers["Cache-Control"] == "no-store"
    assert len(Lamps.loads) == 2
    assert len(cache.local) == kept == 1
    etag = answer.headers["ETag"]
    again = shop(LAMP, HTTP_AUTHORIZATION="Bearer x", HTTP_IF_NONE_MATCH=etag)
    assert again.status == "304 Not Modified"


def test_people_who_are_signed_in_are_answered_in_front_within_limits_of_their_own(
    front: Caller, signed_in: Callable[..., None], settings: Any
) -> None:
    signed_in(*CUSTOMER_SCOPES, group="wholesale")
    token = {"HTTP_AUTHORIZATION": "Bearer x"}
    first = front(LAMP, **token)
    before = answered_in_front()
    again = front(LAMP, **token)
    assert (again.status, again.body) == (first.status, first.body)
    kept = {name: text for name, text in first.headers.items() if "RateLimit" not in name}
    assert again.headers.keys() == kept.keys()
    assert {**again.headers, "X-Request-ID": ""} == {**kept, "X-Request-ID": ""}
    zipped = front(LAMP, HTTP_ACCEPT_ENCODING="gzip", **token)
    assert gzip.decompress(zipped.body) == first.body
    assert zipped.headers["Cache-Control"] == "private, no-cache"
    unchanged = front(LAMP, HTTP_IF_NONE_MATCH=first.headers["ETag"], **token)
    assert unchanged.status == "304 Not Modified"
    assert answered_in_front() == before + 3
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "cached": "2/day"}
    signed_in(*CUSTOMER_SCOPES, group="wholesale")
    answers = [front(LAMP, **token) for _ in range(3)]
    assert [answer.status[:3] for answer in answers] == ["200", "200", "429"]
    assert answers[2].headers["Cache-Control"] == "no-store"
    signed_in(*CUSTOMER_SCOPES, group="wholesale")
    assert front(LAMP, **token).status == "200 OK"


def test_a_real_token_is_answered_in_front_until_it_is_revoked(front: Caller) -> None:
    ann = users.customer()
    token = {"HTTP_AUTHORIZATION": f"Bearer {users.access_token(ann)}"}
    first = front(LAMP, **token)
    before = answered_in_front()
    assert front(LAMP, **token).body == first.body
    assert answered_in_front() == before + 1
    # After the seconds that a person is remembered for, Django looks them up once more.
    identities.forget(ann.id)
    assert front(LAMP, **token).status == "200 OK"
    assert answered_in_front() == before + 1
    assert front(LAMP, **token).status == "200 OK"
    assert answered_in_front() == before + 2
    accounts.end_sessions(user_id=ann.id, scopes=users.EVERY_SCOPE, now=users.NOW)
    assert front(LAMP, **token).status == "401 Unauthorized"
    assert answered_in_front() == before + 2


def test_a_token_that_is_none_is_refused_though_the_answer_is_in_memory(shop: Caller) -> None:
    shop(LAMP)
    assert shop(LAMP, HTTP_AUTHORIZATION="Bearer nonsense").status == "401 Unauthorized"


def test_an_audience_that_is_not_the_callers_is_a_fault(
    cache: Cache, signed_in: Callable[..., None], monkeypatch: pytest.MonkeyPatch, rf: Any
) -> None:
    from infrastructure.http.cached import Audience, Built, answer_cached

    view = Lamps()
    view.request = rf.get(LAMP)
    view.request.user = Actor(id=uuid4(), customer_group="wholesale")
    other = Audience(currency="GBP", locale="en", channel=None, customer_group=None)
    with pytest.raises(ValueError, match="not that of the caller"):
        answer_cached(
            view, context="products", audience=other, build=lambda: Built(value=1, tags=[])
        )


# Consistency


def test_who_has_just_written_is_not_shown_what_was_loaded_before(
    shop: Caller, monkeypatch: pytest.MonkeyPatch, cache: Cache
) -> None:
    from infrastructure.database.consistency import token_of
    from infrastructure.database.contexts import alias_of

    old = shop(LAMP)
    monkeypatch.setattr(Lamps, "text", "a new lamp")
    alias = alias_of("products")
    [(alias_part, position)] = [token_of([alias]).split(":")]
    seen = shop(LAMP, HTTP_CONSISTENCY_TOKEN=f"{alias_part}:{position}")
    behind = int(position, 16) + 1
    assert shop(LAMP).body == seen.body
    assert seen.headers["Cache-Control"] == "private, no-cache"
    newer = shop(LAMP, HTTP_CONSISTENCY_TOKEN=f"{alias_part}:{behind:x}")
    assert b"a new lamp" in newer.body
    assert old.body != newer.body


# Limits


def test_one_address_gets_so_many_answers_and_others_their_own(
    front: Caller, settings: Any
) -> None:
    front(LAMP)
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "cached": "2/day"}
    assert [front(LAMP).status[:3] for _ in range(3)] == ["200", "200", "429"]
    refused = front(LAMP)
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert round(int(refused.headers["Retry-After"]), -2) == 43200
    assert refused.headers["Cache-Control"] == "no-store"
    assert b'"code":"rate_limited"' in refused.body
    assert refused.headers["X-Request-ID"].encode() in refused.body
    assert front(LAMP, REMOTE_ADDR="10.9.9.9").status == "200 OK"


def test_one_flag_switches_the_front_off(bare: Caller) -> None:
    before = answered_in_front()
    assert [bare(LAMP).status for _ in range(3)] == ["200 OK"] * 3
    assert answered_in_front() == before
    assert len(Lamps.loads) == 1


def test_without_the_cache_the_answers_are_the_same(
    front: Caller, settings: Any, cache: Cache
) -> None:
    kept = front(LAMP)
    settings.CACHE_ENABLED = False
    bare = Caller(fronted(WSGIHandler()))
    assert bare(LAMP).lasting == kept.lasting
    assert len(Lamps.loads) == 2
