"""Operations of the tests' own: one packs a parcel per number in batches, the other one per row of
a request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from msgspec import Meta

from infrastructure import clock
from infrastructure.auth.permissions import AUTHENTICATED
from infrastructure.database.contexts import alias_of, connection_at
from infrastructure.errors import DomainError, FieldError, Transient
from infrastructure.http.views import APIView, operation
from infrastructure.operations.api import serializers
from infrastructure.operations.bulk import (
    MAX_ROWS,
    Bulk,
    BulkAnswer,
    BulkBody,
    Call,
    RowResult,
    each,
    respond,
)
from infrastructure.operations.registry import runs
from infrastructure.operations.work import Fault, Work
from infrastructure.storage import imports
from tests.support.sample.models import Parcel

KIND = "orders.pack_parcels"
SCOPE = "orders.read"
CONTEXT = "orders"
# Held by a test, it keeps the body inside the transaction of the batch that begins with `wait_at`.
DOOR = 4712


class NoPaper(DomainError):
    """There is nothing to wrap parcels in."""

    code, status, title = "no_paper", 409, "No paper"


@runs(KIND, scope=SCOPE)
def pack_parcels(work: Work) -> None:
    """params: `count` of parcels, `size` of a batch; `refuse`: numbers that are at fault;
    `wait_at`; `fail` with what."""
    size = work.params.get("size", 10)
    numbers = range(work.checkpoint.get("next", 0), work.params["count"])
    work.progress(total=work.params["count"])
    fail_if_told(work)
    for batch in work.batches(numbers, size=size):
        with work.transaction():
            with work.effects():
                faults = pack(batch, work)
            work.progress(
                done=work.done + len(batch), checkpoint={"next": batch[-1] + 1}, faults=faults
            )
    work.finish(result={"packed": work.done - work.failed})


def pack(batch: list[int], work: Work) -> list[Fault]:
    refused = set(work.params.get("refuse", ()))
    for number in batch:
        if number not in refused:
            Parcel.pack(label=f"p{number}", names=["string"], now=work.now()).save()
    if batch[0] == work.params.get("wait_at"):
        with connection_at(alias_of(CONTEXT)).cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [DOOR])
    return [
        Fault(row=number, code="fragile", detail="It would break.", pointer="/label")
        for number in batch
        if number in refused
    ]


def fail_if_told(work: Work) -> None:
    how = work.params.get("fail")
    if how == "refusal":
        raise NoPaper("The paper is used up.")
    if how == "transient":
        raise Transient("the shelf is away")
    if how == "bug":
        raise RuntimeError("the password is hunter2")
    if how == "ctrl-c":
        raise KeyboardInterrupt


def packed() -> list[int]:
    labels = Parcel.objects.using(alias_of(CONTEXT)).values_list("label", flat=True)
    return sorted(int(label.removeprefix("p")) for label in labels)


class NewParcel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row of the bulk request below."""

    label: Annotated[str, Meta(min_length=1, max_length=20)]


class LabelTaken(DomainError):
    """Another parcel has this label."""

    code, status, title = "label_taken", 409, "Label taken"


def pack_one(row: NewParcel, call: Call) -> RowResult:
    parcel = Parcel.pack(label=row.label, names=["string"], now=call.now)
    parcel.save()
    if row.label.startswith("taken"):
        raise LabelTaken(
            f"{row.label} is taken.", errors=[FieldError("/label", "taken", "It is taken.")]
        )
    return RowResult(status="created", id=parcel.id)


def pack_rows(rows: Sequence[NewParcel], call: Call) -> list[RowResult]:
    if rows[0].label == "no paper":
        raise NoPaper("The paper is used up.")
    return each(rows, lambda row: pack_one(row, call), context=CONTEXT)


BULK = Bulk("orders.pack_rows", scope="catalogue.read", row=NewParcel, apply=pack_rows)


class PackParcels(BulkBody, frozen=True, kw_only=True):
    items: Annotated[list[NewParcel], Meta(min_length=1, max_length=MAX_ROWS)]


class ParcelsInBulk(APIView):
    scopes = {"POST": AUTHENTICATED}

    @operation(
        summary="Pack many parcels",
        body=PackParcels,
        responses={200: BulkAnswer, 202: serializers.Operation},
        errors=[NoPaper],
        idempotency="accepted",
        respond_async=True,
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        return respond(self, request, BULK, PackParcels)


class Uploads(APIView):
    scopes = {"POST": AUTHENTICATED}

    @operation(summary="Bring a file", uploads=("text/csv",), responses={200: None})
    def post(self, request: HttpRequest) -> HttpResponse:
        key = imports.save(self.upload(), suffix=".csv", now=clock.now(), limit=1_000)
        return self.answer({"key": key})


urlpatterns = [
    path("api/v1/parcels/bulk", ParcelsInBulk.as_view()),
    path("api/v1/uploads", Uploads.as_view()),
    path("", include("infrastructure.operations.api.urls")),
]
