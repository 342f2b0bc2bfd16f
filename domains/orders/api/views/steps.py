"""The steps of an order, and what the routes have in common that begin one."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.http import HttpRequest, HttpResponse

from domains.orders import errors
from domains.orders.api.access import caller_of, order_for
from domains.orders.api.serializers import steps as serializers
from domains.orders.queries import orders as queries
from domains.orders.services.beginning import Begun
from infrastructure.auth.permissions import OrGuest
from infrastructure.database.contexts import alias_of
from infrastructure.http import idempotency
from infrastructure.http.types import Out, PageOf
from infrastructure.http.views import APIView, operation


class StepView(APIView):
    """A route that begins a step and answers how far it got."""

    def answer_step(
        self, begun: Begun, *, status: int = 200, made: Callable[[], Out] | None = None
    ) -> HttpResponse:
        """status, made: of a step that is done, and the answer to it where that is not the step
        itself. One that waits for the gateway, for the customer to confirm its payment, or for a
        second person, is 202."""
        if begun.is_done and made is not None:
            answer = made()
        else:
            confirmation = queries.confirmation_of(begun.step)
            answer = serializers.Step.of(begun.order, begun.step, confirmation)
        return self.answer(
            answer,
            status=status if begun.is_done else 202,
            headers=idempotency.replayed(alias_of("orders")) if begun.replayed else {},
        )


class Steps(APIView):
    scopes = {"GET": OrGuest("orders.read_own", credential="orderToken")}

    @operation(
        summary="List what was asked of a confirmed order, the oldest first",
        description=(
            "Edits, cancellations, parcels, captures, returns that came in and refunds: who asked "
            "for them, and how far they are. An order has one unfinished step at most. Customers "
            "see what is done and under way, and what they asked for themselves, without staff's "
            "ids."
        ),
        responses={200: PageOf[serializers.Step]},
        errors=[errors.OrderNotFound],
    )
    def get(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        order = order_for(request, order_id, everybody="orders.read")
        actor = caller_of(request)
        is_staff = actor is not None and actor.may("orders.read")
        steps = [
            serializers.Step.of(order, step, queries.confirmation_of(step), with_ids=is_staff)
            for step in queries.steps_of(order, with_internal=is_staff)
        ]
        return self.answer(PageOf(items=steps, next=None))
