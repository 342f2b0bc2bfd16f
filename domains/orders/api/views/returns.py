"""Goods that come back."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse

from domains.orders import errors
from domains.orders.api.access import acting_on, order_for
from domains.orders.api.serializers import steps as serializers
from domains.orders.api.views.steps import StepView
from domains.orders.models import Order, Return
from domains.orders.services import returning
from infrastructure import clock
from infrastructure.auth.permissions import OrGuest
from infrastructure.database.contexts import alias_of
from infrastructure.http import idempotency
from infrastructure.http.views import APIView, operation


class Returns(APIView):
    scopes = {
        "GET": OrGuest("orders.read_own", credential="orderToken"),
        "POST": OrGuest("orders.return_own", credential="orderToken"),
    }

    @operation(
        summary="List what came back, or is to come back, of an order",
        responses={200: serializers.Returns},
        errors=[errors.OrderNotFound],
    )
    def get(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        order = order_for(request, order_id, everybody="orders.read")
        return self.answer(
            serializers.Returns(
                items=[serializers.Return.of(order, found) for found in order.returns]
            )
        )

    @operation(
        summary="Announce that goods come back",
        body=serializers.RequestReturn,
        responses={201: serializers.Return},
        errors=[
            errors.OrderNotFound,
            errors.OrderNotReturnable,
            errors.UnknownLine,
            errors.TooManyUnits,
        ],
        idempotency="required",
    )
    def post(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        body = self.body(serializers.RequestReturn)
        key = self.idempotency(request, body)
        seen, by = acting_on(request, order_id, everybody="orders.return")
        order, announced, again = returning.request_return(
            order_id=seen.id,
            lines=serializers.units_of(body.lines),
            reason=body.reason,
            by=by,
            key=key,
            now=clock.now(),
        )
        return self.answer(
            serializers.Return.of(order, announced),
            status=201,
            headers=idempotency.replayed(alias_of("orders")) if again else {},
        )


class ReturnDecision(APIView):
    """A route that accepts a return, or does not."""

    scopes = {"POST": "orders.return"}

    def decide(
        self,
        request: HttpRequest,
        order_id: UUID,
        return_id: UUID,
        *,
        body: serializers.RefuseReturn | None = None,
    ) -> HttpResponse:
        """body: why it is not accepted; None where it is."""
        key = self.idempotency(request, body)
        seen, by = acting_on(request, order_id, everybody="orders.return")

        def decided() -> tuple[Order, Return]:
            return returning.decide_return(
                order_id=seen.id,
                return_id=return_id,
                approve=body is None,
                reason="" if body is None else body.reason,
                by=by,
                key=key,
                now=clock.now(),
            )

        def again(decided_id: UUID) -> tuple[Order, Return]:
            order = order_for(request, order_id, everybody="orders.return")
            return order, order.returned(decided_id)

        (order, found), headers = idempotency.once(alias_of("orders"), key, decided, again=again)
        return self.answer(serializers.Return.of(order, found), headers=headers)


class ReturnApproval(ReturnDecision):
    @operation(
        summary="Accept a return",
        responses={200: serializers.Return},
        errors=[errors.OrderNotFound, errors.ReturnNotFound, errors.ReturnNotOpen],
        idempotency="accepted",
    )
    def post(self, request: HttpRequest, order_id: UUID, return_id: UUID) -> HttpResponse:
        return self.decide(request, order_id, return_id)


class ReturnRefusal(ReturnDecision):
    @operation(
        summary="Do not accept a return",
        description=(
            "One that was announced, or one that was received and for which nothing, or nothing "
            "more, is to be given back."
        ),
        body=serializers.RefuseReturn,
        responses={200: serializers.Return},
        errors=[
            errors.OrderNotFound,
            errors.ReturnNotFound,
            errors.ReturnNotOpen,
            errors.StepInProgress,
        ],
        idempotency="accepted",
    )
    def post(self, request: HttpRequest, order_id: UUID, return_id: UUID) -> HttpResponse:
        body = self.body(serializers.RefuseReturn)
        return self.decide(request, order_id, return_id, body=body)


class ReturnReceipt(StepView):
    scopes = {"POST": "orders.return"}
    changes_what_is_shown = True

    @operation(
        summary="Write down what came back with a return",
        description=(
            "What is as good as new goes into the warehouse. Money is given back apart; where that "
            "was done before, the return is over."
        ),
        body=serializers.ReceiveReturn,
        responses={200: serializers.Return, 202: serializers.Step},
        errors=[
            errors.OrderNotFound,
            errors.ReturnNotFound,
            errors.ReturnNotOpen,
            errors.DuplicateLine,
            errors.UnknownLine,
            errors.TooManyUnits,
            errors.StepInProgress,
            errors.StepRefused,
        ],
        idempotency="required",
    )
    def post(self, request: HttpRequest, order_id: UUID, return_id: UUID) -> HttpResponse:
        body = self.body(serializers.ReceiveReturn)
        key = self.idempotency(request, body)
        seen, by = acting_on(request, order_id, everybody="orders.return")
        begun = returning.receive_return(
            order_id=seen.id,
            return_id=return_id,
            inspected=body.to_inspected(),
            warehouse=body.warehouse,
            reason=body.reason,
            by=by,
            key=key,
            now=clock.now(),
        )
        return self.answer_step(
            begun,
            made=lambda: serializers.Return.of(begun.order, begun.order.returned(return_id)),
        )
