"""Routes that are found by their first segment."""

from __future__ import annotations

import pytest
from django.http import HttpRequest, HttpResponse
from django.urls import URLResolver, path
from django.urls.exceptions import Resolver404
from django.urls.resolvers import RegexPattern

from infrastructure.http.routing import RoutesBySegment


def _view(request: HttpRequest, **kwargs: str) -> HttpResponse:
    return HttpResponse()


_ROUTES = [
    path("pots", _view, name="pots"),
    path("pots/bulk", _view, name="bulk"),
    path("pots/<str:name>", _view, name="pot"),
    path("lids/<str:name>/colour", _view, name="colour"),
]


def _site() -> URLResolver:
    return URLResolver(RegexPattern(r"^/"), [RoutesBySegment("api/v1/", _ROUTES)])


@pytest.mark.parametrize(
    ("asked", "name", "route", "kwargs"),
    [
        ("api/v1/pots", "pots", "api/v1/pots", {}),
        ("api/v1/pots/bulk", "bulk", "api/v1/pots/bulk", {}),
        ("api/v1/pots/red", "pot", "api/v1/pots/<str:name>", {"name": "red"}),
        ("api/v1/lids/x/colour", "colour", "api/v1/lids/<str:name>/colour", {"name": "x"}),
    ],
)
def test_the_first_route_that_fits_is_found(
    asked: str, name: str, route: str, kwargs: dict[str, str]
) -> None:
    match = _site().resolve(f"/{asked}")
    assert (match.url_name, match.route, match.kwargs) == (name, route, kwargs)


@pytest.mark.parametrize(
    "asked", ["api/v1/", "api/v1/cups", "api/v1/pots/a/b", "api/v1/pot", "api/v2/pots", "pots", ""]
)
def test_other_paths_have_no_route(asked: str) -> None:
    with pytest.raises(Resolver404):
        _site().resolve(f"/{asked}")


def test_paths_are_made_of_names() -> None:
    assert _site().reverse("pot", name="red") == "api/v1/pots/red"


@pytest.mark.parametrize("route", ["<str:name>", "", "<str:kind>/all"])
def test_a_route_begins_with_a_name(route: str) -> None:
    routes = RoutesBySegment("api/v1/", [path(route, _view)])
    with pytest.raises(ValueError, match="does not begin with a name"):
        routes.resolve("api/v1/pots")
