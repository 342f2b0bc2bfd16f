"""What customers left with the gateway to pay with, over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Self
from uuid import UUID

from django.http import HttpRequest, HttpResponse

from domains.payments import errors, models, services
from domains.payments.queries import saved_methods as queries
from infrastructure import clock
from infrastructure.auth.permissions import AUTHENTICATED
from infrastructure.http.pagination import page
from infrastructure.http.types import Out, PageOf, PageQuery
from infrastructure.http.views import APIView, operation

NOT_STORED = {"Cache-Control": "no-store"}


class PaymentMethod(Out, frozen=True, kw_only=True):
    """A card that the gateway keeps, as it tells of it; `id` is what `saved_method` of an order's
    payment takes."""

    id: UUID
    brand: str
    last4: str
    expiry_month: int
    expiry_year: int
    created_at: datetime

    @classmethod
    def of(cls, method: models.SavedMethod) -> Self:
        return cls(
            id=method.id,
            brand=method.brand,
            last4=method.last4,
            expiry_month=method.expiry_month,
            expiry_year=method.expiry_year,
            created_at=method.created_at,
        )


class PaymentMethods(APIView):
    scopes = {"GET": AUTHENTICATED}

    @operation(
        summary="List your saved payment methods, the newest first",
        description=(
            "A payment with `save: true` leaves its means with the gateway once it is authorised. "
            "No card number is ever stored here."
        ),
        query=PageQuery,
        responses={200: PageOf[PaymentMethod]},
    )
    def get(self, request: HttpRequest) -> HttpResponse:
        query = self.query(PageQuery)
        found = page(
            queries.saved_methods(self.actor.id), query.cursor, query.limit, order=("-id",)
        )
        return self.answer_page(found, PaymentMethod.of, headers=NOT_STORED)


class PaymentMethodDetail(APIView):
    scopes = {"DELETE": AUTHENTICATED}

    @operation(
        summary="Delete a saved payment method",
        description="It is never paid with again, and the gateway is told to let go of it.",
        responses={204: None},
        errors=[errors.SavedMethodNotFound],
    )
    def delete(self, request: HttpRequest, method_id: UUID) -> HttpResponse:
        services.delete_saved_method(
            saved_method_id=method_id, customer_id=self.actor.id, now=clock.now()
        )
        return self.answer(status=204)
