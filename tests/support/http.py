"""A small API on the base view, so that the conventions of HTTP are tested without a context."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import include, path
from django.views.decorators.http import require_safe
from msgspec import UNSET, Meta, UnsetType

from infrastructure.auth.permissions import AUTHENTICATED, PUBLIC
from infrastructure.errors import DomainError, FieldError, StaleVersion
from infrastructure.http.pagination import page
from infrastructure.http.types import Body, GivenMoney, Money, Out, PageOf, PageQuery, ShortText
from infrastructure.http.views import APIView, operation
from tests.support.sample.models import Parcel

VERSION = 7


class OutOfPaint(DomainError):
    """There is no paint of that colour left."""

    code, status, title = "out_of_paint", 409, "Out of paint"


class Coat(Body, frozen=True, kw_only=True):
    colour: Literal["red", "blue"]
    layers: Annotated[int, Meta(ge=1, le=9)] = 1


class Paint(Body, frozen=True, kw_only=True):
    name: ShortText
    price: GivenMoney
    coats: Annotated[list[Coat], Meta(min_length=1, max_length=3)]
    note: Annotated[str, Meta(max_length=20)] | UnsetType | None = UNSET


class Painted(Out, frozen=True, kw_only=True):
    name: str
    price: Money
    painted_at: datetime


class ParcelFilters(PageQuery, frozen=True, kw_only=True):
    label: Annotated[list[ShortText], Meta(max_length=5)] = []
    fragile: bool | None = None
    weight_max: Annotated[int, Meta(ge=0, le=1000)] | None = None


class ParcelRow(Out, frozen=True, kw_only=True):
    id: UUID
    label: str


class Things(APIView):
    scopes = {"GET": PUBLIC, "POST": "things.write"}
    rate = {"POST": "checkout"}

    @operation(summary="Greet", responses={200: Painted})
    def get(self, request: HttpRequest) -> HttpResponse:
        return self.answer({"caller": request.user and str(request.user.id)})

    @operation(
        summary="Paint",
        body=Paint,
        responses={201: Painted, 202: Painted},
        errors=[OutOfPaint],
        idempotency="required",
        respond_async=True,
        examples={
            "blue": Paint(
                name="door",
                price=GivenMoney(amount="1.20", currency="EUR"),
                coats=[Coat(colour="blue")],
            )
        },
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        body = self.body(Paint)
        key = self.idempotency(request, body)
        assert key is not None
        if body.name == "no paint":
            errors = [FieldError("/coats/0", "out_of_paint", "None left.")]
            raise OutOfPaint("No paint left.", errors=errors)
        if self.prefer(request).respond_async:
            return self.answer(
                {"key": key.key}, status=202, headers={"Preference-Applied": "respond-async"}
            )
        price = body.price.to_money()
        return self.answer(
            {"price": Money.of(price), "key": key.key, "route": key.route, "client": key.client},
            status=201,
        )


class Thing(APIView):
    scopes = {"GET": AUTHENTICATED, "PATCH": "things.write", "DELETE": "things.write"}

    @operation(summary="Look at a thing", responses={200: Painted}, etag=True)
    def get(self, request: HttpRequest, thing_id: UUID) -> HttpResponse:
        thing = Painted(
            name="door",
            price=Money(amount="0.50", currency="EUR"),
            painted_at=datetime(2026, 3, 2, 9, 30, tzinfo=UTC),
        )
        return self.answer(thing, etag=VERSION)

    @operation(
        summary="Change a thing",
        body=Coat,
        responses={200: Painted},
        if_match="required",
        etag=True,
    )
    def patch(self, request: HttpRequest, thing_id: UUID) -> HttpResponse:
        self.body(Coat)
        version = self.if_match(request)
        if version not in (None, VERSION):
            raise StaleVersion
        return self.answer({"version": version}, etag=VERSION + 1)

    @operation(summary="Drop a thing", responses={204: None}, if_match="accepted")
    def delete(self, request: HttpRequest, thing_id: UUID) -> HttpResponse:
        self.if_match(request)
        return self.answer(status=204)


class Parcels(APIView):
    scopes = {"GET": PUBLIC}

    @operation(summary="List parcels", query=ParcelFilters, responses={200: PageOf[ParcelRow]})
    def get(self, request: HttpRequest) -> HttpResponse:
        filters = self.query(ParcelFilters)
        parcels = Parcel.objects.all()
        if filters.fragile is not None:
            parcels = parcels.filter(fragile=filters.fragile)
        found = page(
            parcels,
            filters.cursor,
            filters.limit,
            order=("-packed_at", "-id"),
            filters=filters,
        )
        return self.answer_page(found, lambda parcel: ParcelRow(id=parcel.id, label=parcel.label))


class Public(APIView):
    scopes = {"POST": PUBLIC}
    ignores_credentials = True

    @operation(summary="Sign something", responses={204: None})
    def post(self, request: HttpRequest) -> HttpResponse:
        return self.answer(status=204)


class Fails(APIView):
    scopes = {"GET": PUBLIC}

    @operation(summary="Fail", responses={200: Painted})
    def get(self, request: HttpRequest, how: str) -> HttpResponse:
        raise {
            "http404": Http404("the row 17"),
            "denied": PermissionDenied("because"),
            "suspicious": SuspiciousOperation("odd"),
            "database": OperationalError("connection to server at 10.0.0.7 refused"),
            "bug": RuntimeError("the password is hunter2"),
        }[how]


@require_safe
def plain(request: HttpRequest) -> HttpResponse:
    return HttpResponse("plain")


urlpatterns = [
    path("api/v1/things", Things.as_view()),
    path("api/v1/things/<uuid:thing_id>", Thing.as_view()),
    path("api/v1/parcels", Parcels.as_view()),
    path("api/v1/public", Public.as_view()),
    path("api/v1/fails/<str:how>", Fails.as_view()),
    path("plain", plain),
    path("", include("infrastructure.http.urls")),
]
