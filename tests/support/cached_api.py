"""A small API of cached reads, so that the cache and the front are tested without a context."""

from __future__ import annotations

from typing import Annotated, ClassVar

from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from msgspec import Meta

from infrastructure.auth.permissions import PUBLIC
from infrastructure.errors import DomainError
from infrastructure.http.cached import Built, answer_cached, audience_of
from infrastructure.http.types import Currency, Out, Query
from infrastructure.http.views import APIView, operation


class NoSuchLamp(DomainError):
    """There is no lamp of that name."""

    code, status, title = "no_such_lamp", 404, "No such lamp"


class LampQuery(Query, frozen=True, kw_only=True):
    currency: Currency = "GBP"
    locale: Annotated[str, Meta(max_length=5)] = "en"
    channel: Annotated[str, Meta(max_length=20)] | None = None
    note: Annotated[str, Meta(max_length=20)] | None = None


class Lamp(Out, frozen=True, kw_only=True):
    name: str
    price_for: str
    text: str


class Lamps(APIView):
    """`loads` are the audiences that it was loaded for, `text` is what it says."""

    scopes = {"GET": PUBLIC}
    is_cached = True
    sees_more = frozenset({"catalogue.read"})
    loads: ClassVar[list[str]] = []
    text: ClassVar[str] = "a lantern on the water " * 100

    @operation(
        summary="Look at a lamp", query=LampQuery, responses={200: Lamp}, errors=[NoSuchLamp]
    )
    def get(self, request: HttpRequest, name: str) -> HttpResponse:
        query = self.query(LampQuery)
        audience = audience_of(
            request, currency=query.currency, locale=query.locale, channel=query.channel
        )

        def build() -> Built:
            self.loads.append(audience.key_at(name))
            if name == "none":
                raise NoSuchLamp("There is none.")
            value = Lamp(name=name, price_for=audience.key_at(name), text=self.text)
            return Built(value=value, tags=[f"lamp:{name}"], version=3, headers={"Link": "<x>"})

        return answer_cached(self, context="products", audience=audience, build=build)


urlpatterns = [
    path("api/v1/lamps/<str:name>", Lamps.as_view()),
    path("", include("infrastructure.http.urls")),
]
