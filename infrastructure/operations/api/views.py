"""The routes of operations, and the answer of views that start one."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import FileResponse, HttpRequest, HttpResponse
from django.urls import reverse

from infrastructure import clock
from infrastructure.auth.permissions import AUTHENTICATED
from infrastructure.database.contexts import aliases
from infrastructure.http import idempotency
from infrastructure.http.pagination import page
from infrastructure.http.types import PageOf
from infrastructure.http.views import APIView, operation
from infrastructure.operations import errors, models, services
from infrastructure.operations.api import serializers
from infrastructure.operations.downloads import MEDIA_TYPES, file_response


class Operations(APIView):
    scopes = {"GET": AUTHENTICATED}

    @operation(
        summary="List operations, the newest first",
        description="One's own; staff also see all of the kinds that their scopes are about.",
        query=serializers.OperationFilters,
        responses={200: PageOf[serializers.Operation]},
    )
    def get(self, request: HttpRequest) -> HttpResponse:
        query = self.query(serializers.OperationFilters)
        actor = self.actor

        def newest(after: tuple[Any, ...] | None, limit: int) -> Sequence[models.Operation]:
            """Every database has its own, and ids rise with time in all of them."""
            found = []
            for alias in aliases():
                rows = services.visible_to(alias, actor_id=actor.id, scopes=actor.scopes)
                if query.kind is not None:
                    rows = rows.filter(kind=query.kind)
                if query.state is not None:
                    rows = rows.filter(state=query.state)
                if after is not None:
                    rows = rows.filter(id__lt=after[0])
                found.append(rows.order_by("-id")[:limit])
            return list(heapq.merge(*found, key=lambda row: row.id, reverse=True))[:limit]

        found = page(newest, query.cursor, query.limit, order=("-id",), filters=query)
        return self.answer_page(found, serializers.Operation.in_list)


class OperationDetail(APIView):
    scopes = {"GET": AUTHENTICATED}

    @operation(
        summary="Read how far an operation has come",
        description="While it is not over, `Retry-After` says when it is worth asking again.",
        responses={200: serializers.Operation},
        errors=[errors.OperationNotFound],
        retry_after=True,
    )
    def get(self, request: HttpRequest, operation_id: UUID) -> HttpResponse:
        found = services.seen_by(self.actor, operation_id)
        return self.answer(
            serializers.Operation.of(found), headers=_retry_after(found, clock.now())
        )


class OperationFaults(APIView):
    scopes = {"GET": AUTHENTICATED}

    @operation(
        summary="List the faults of an operation's input, by row",
        description=f"Of one operation {models.FAULTS_KEPT:,} are kept.",
        query=serializers.FaultFilters,
        responses={200: PageOf[serializers.RowFault]},
        errors=[errors.OperationNotFound],
    )
    def get(self, request: HttpRequest, operation_id: UUID) -> HttpResponse:
        query = self.query(serializers.FaultFilters)
        faults = services.faults_of(services.seen_by(self.actor, operation_id))
        found = page(
            faults, query.cursor, query.limit, order=("row_number", "pointer"), filters=query
        )
        return self.answer_page(found, serializers.RowFault.of)


class OperationCancel(APIView):
    scopes = {"POST": AUTHENTICATED}

    @operation(
        summary="Cancel an operation",
        description=(
            "What has not begun is cancelled at once. What runs stops after its current batch; what"
            " it has done until then stays done."
        ),
        responses={200: serializers.Operation},
        errors=[errors.OperationNotFound, errors.OperationFinished],
        idempotency="accepted",
        retry_after=True,
    )
    def post(self, request: HttpRequest, operation_id: UUID) -> HttpResponse:
        now, key = clock.now(), self.idempotency(request, None)
        seen = services.seen_by(self.actor, operation_id)
        found, headers = idempotency.once(
            seen._state.db or "",
            key,
            lambda: services.cancel(seen, idempotency=key, now=now),
            again=lambda _: services.seen_by(self.actor, operation_id),
        )
        return self.answer(
            serializers.Operation.of(found), headers=_retry_after(found, now) | headers
        )


class OperationResult(APIView):
    scopes = {"GET": AUTHENTICATED}

    @operation(
        summary="Download the file that an operation has made",
        responses={200: None},
        errors=[errors.OperationNotFound, errors.NoResult],
        downloads=sorted(MEDIA_TYPES.values()),
    )
    def get(self, request: HttpRequest, operation_id: UUID) -> FileResponse:
        return file_response(services.seen_by(self.actor, operation_id))


def accepted(
    view: APIView, started: models.Operation, *, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    """202 for a request whose work goes on: where to ask for it, and how it stands."""
    given = {
        "Location": reverse("operation", kwargs={"operation_id": started.id}),
        **_retry_after(started, clock.now()),
        **(headers or {}),
    }
    if view.prefer(view.request).respond_async:
        given["Preference-Applied"] = "respond-async"
    return view.answer(serializers.Operation.of(started), status=202, headers=given)


def _retry_after(found: models.Operation, now: datetime) -> dict[str, str]:
    """The longer it has taken, the less it matters to know its end at once: 1 to 10 s."""
    if found.is_finished:
        return {}
    seconds = (now - found.created_at).total_seconds() / 10
    return {"Retry-After": str(int(min(max(seconds, 1), 10)))}
