from __future__ import annotations

from collections.abc import Iterator

from django.urls import URLPattern, URLResolver, get_resolver

from domains.users import rules
from infrastructure.auth.permissions import OrGuest
from infrastructure.http.views import APIView


def api_views() -> Iterator[type[APIView]]:
    resolvers: list[URLResolver] = [get_resolver()]
    while resolvers:
        for pattern in resolvers.pop().url_patterns:
            if isinstance(pattern, URLResolver):
                resolvers.append(pattern)
            elif isinstance(pattern, URLPattern):
                view = getattr(pattern.callback, "view_class", None)
                if view is not None and issubclass(view, APIView):
                    yield view


def test_every_scope_that_a_route_demands_is_on_the_list_and_held_by_somebody():
    demands = [demand for view in api_views() for demand in view.scopes.values()]
    demanded = {demand for demand in demands if isinstance(demand, str)}
    demanded |= {demand.scope for demand in demands if isinstance(demand, OrGuest)}
    assert "orders.place" in demanded
    assert demanded <= set(rules.SCOPES)
    held = rules.CUSTOMER_SCOPES.union(*rules.ROLES.values())
    assert demanded <= held
