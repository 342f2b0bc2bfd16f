"""Goods that come back, and money that is given back."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from msgspec import UNSET

from domains.orders import errors
from domains.orders.api.access import by, order_for, refuse_other_currency
from domains.orders.api.serializers import steps as serializers
from domains.orders.api.views.fulfilments import StepView
from domains.orders.services import refunding, returning
from infrastructure import clock
from infrastructure.auth.permissions import OrGuest
from infrastructure.database.contexts import alias_of
from infrastructure.http import idempotency
from infrastructure.http.views import APIView, operation

APPROVE = "orders.approve_refunds"


class Refunds(StepView):
    scopes = {"POST": "payments.refund"}

    @operation(
        summary="Give money back",
        description=(
            "For lines, for a return, either with the shipping or not, for the shipping alone, an "
            'amount, or with `"all": true` all that was taken and kept. One of them has to be '
            "named. 202 for an amount that takes a second person, counted with what you gave back "
            "on the order before without one, and while the gateway has not answered."
        ),
        body=serializers.RefundOrder,
        responses={201: serializers.Step, 202: serializers.Step},
        errors=[
            errors.OrderNotFound,
            errors.OrderNotRefundable,
            errors.NothingCaptured,
            errors.RefundExceedsPayment,
            errors.AmbiguousRefund,
            errors.CurrencyMismatch,
            errors.UnknownLine,
            errors.TooManyUnits,
            errors.ReturnNotFound,
            errors.ReturnNotReceived,
            errors.StepInProgress,
            errors.RefundRefused,
        ],
        idempotency="required",
        if_match="accepted",
    )
    def post(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        body = self.body(serializers.RefundOrder)
        key = self.idempotency(request, body)
        if body.is_ambiguous:
            raise errors.AmbiguousRefund("Name lines, a return, the shipping, an amount, or all.")
        order = order_for(request, order_id, everybody="payments.refund")
        if body.amount is not UNSET:
            refuse_other_currency(order, body.amount.currency)
        begun = refunding.refund(
            order_id=order.id,
            wish=body.to_wish(),
            reason=body.reason,
            by=by(request, order, everybody="payments.refund"),
            key=key,
            version=self.if_match(request),
            now=clock.now(),
        )
        return self.answer_step(begun, status=201)


class StepApproval(StepView):
    scopes = {"POST": APPROVE}

    @operation(
        summary="Agree to a refund that takes a second person",
        responses={200: serializers.Step, 202: serializers.Step},
        errors=[
            errors.OrderNotFound,
            errors.StepNotFound,
            errors.StepNotAwaitingApproval,
            errors.SecondPersonRequired,
            errors.RefundRefused,
        ],
    )
    def post(self, request: HttpRequest, order_id: UUID, step_id: UUID) -> HttpResponse:
        order = order_for(request, order_id, everybody=APPROVE)
        begun = refunding.approve_step(
            order_id=order.id, step_id=step_id, actor_id=self.actor.id, now=clock.now()
        )
        return self.answer_step(begun)


class StepRefusal(StepView):
    # Who asked may take it back, and nobody gives anything away by saying no.
    scopes = {"POST": "payments.refund"}

    @operation(
        summary="Do not agree to a refund that takes a second person",
        body=serializers.DisapproveStep,
        responses={200: serializers.Step},
        errors=[errors.OrderNotFound, errors.StepNotFound, errors.StepNotAwaitingApproval],
    )
    def post(self, request: HttpRequest, order_id: UUID, step_id: UUID) -> HttpResponse:
        body = self.body(serializers.DisapproveStep)
        order = order_for(request, order_id, everybody="payments.refund")
        begun = refunding.disapprove_step(
            order_id=order.id,
            step_id=step_id,
            actor_id=self.actor.id,
            reason=body.reason,
            now=clock.now(),
        )
        return self.answer(serializers.Step.of(begun.order, begun.step))


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
        seen = order_for(request, order_id, everybody="orders.return")
        order, announced, again = returning.request_return(
            order_id=seen.id,
            lines=serializers.units_of(body.lines),
            reason=body.reason,
            by=by(request, seen, everybody="orders.return"),
            key=key,
            now=clock.now(),
        )
        return self.answer(
            serializers.Return.of(order, announced),
            status=201,
            headers=idempotency.replayed(alias_of("orders")) if again else {},
        )


class ReturnApproval(APIView):
    scopes = {"POST": "orders.return"}

    @operation(
        summary="Accept a return",
        responses={200: serializers.Return},
        errors=[errors.OrderNotFound, errors.ReturnNotFound, errors.ReturnNotOpen],
    )
    def post(self, request: HttpRequest, order_id: UUID, return_id: UUID) -> HttpResponse:
        seen = order_for(request, order_id, everybody="orders.return")
        order, decided = returning.decide_return(
            order_id=seen.id,
            return_id=return_id,
            approve=True,
            reason="",
            by=by(request, seen, everybody="orders.return"),
            now=clock.now(),
        )
        return self.answer(serializers.Return.of(order, decided))


class ReturnRefusal(APIView):
    scopes = {"POST": "orders.return"}

    @operation(
        summary="Do not accept a return",
        body=serializers.RefuseReturn,
        responses={200: serializers.Return},
        errors=[errors.OrderNotFound, errors.ReturnNotFound, errors.ReturnNotOpen],
    )
    def post(self, request: HttpRequest, order_id: UUID, return_id: UUID) -> HttpResponse:
        body = self.body(serializers.RefuseReturn)
        seen = order_for(request, order_id, everybody="orders.return")
        order, decided = returning.decide_return(
            order_id=seen.id,
            return_id=return_id,
            approve=False,
            reason=body.reason,
            by=by(request, seen, everybody="orders.return"),
            now=clock.now(),
        )
        return self.answer(serializers.Return.of(order, decided))


class ReturnReceipt(StepView):
    scopes = {"POST": "orders.return"}
    changes_what_is_shown = True

    @operation(
        summary="Write down what came back with a return",
        description="What is as good as new goes into the warehouse. Money is given back apart.",
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
        seen = order_for(request, order_id, everybody="orders.return")
        begun = returning.receive_return(
            order_id=seen.id,
            return_id=return_id,
            inspected=body.to_inspected(),
            warehouse=body.warehouse,
            by=by(request, seen, everybody="orders.return"),
            key=key,
            now=clock.now(),
        )
        if not begun.is_done:
            return self.answer_step(begun)
        return self.answer(serializers.Return.of(begun.order, begun.order.returned(return_id)))
