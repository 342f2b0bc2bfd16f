"""Money that is given back."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from msgspec import UNSET

from domains.orders import errors
from domains.orders.api.access import acting_on, order_for, refuse_other_currency
from domains.orders.api.serializers import steps as serializers
from domains.orders.api.views.steps import StepView
from domains.orders.services import refunding
from domains.orders.services.beginning import Begun
from infrastructure import clock
from infrastructure.database.contexts import alias_of
from infrastructure.http import idempotency
from infrastructure.http.views import operation

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
            errors.InvalidPaymentAmount,
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
        order, by = acting_on(request, order_id, everybody="payments.refund")
        if body.amount is not UNSET:
            refuse_other_currency(order, body.amount.currency)
        begun = refunding.refund(
            order_id=order.id,
            wish=body.to_wish(),
            reason=body.reason,
            by=by,
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
            errors.StepOutdated,
            errors.RefundRefused,
        ],
        idempotency="accepted",
    )
    def post(self, request: HttpRequest, order_id: UUID, step_id: UUID) -> HttpResponse:
        key = self.idempotency(request, None)
        order = order_for(request, order_id, everybody=APPROVE)
        begun = refunding.approve_step(
            order_id=order.id, step_id=step_id, actor_id=self.actor.id, key=key, now=clock.now()
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
        idempotency="accepted",
    )
    def post(self, request: HttpRequest, order_id: UUID, step_id: UUID) -> HttpResponse:
        body = self.body(serializers.DisapproveStep)
        key = self.idempotency(request, body)
        order = order_for(request, order_id, everybody="payments.refund")

        def disapproved() -> Begun:
            return refunding.disapprove_step(
                order_id=order.id,
                step_id=step_id,
                actor_id=self.actor.id,
                reason=body.reason,
                key=key,
                now=clock.now(),
            )

        def again(disapproved_id: UUID) -> Begun:
            found = order_for(request, order_id, everybody="payments.refund")
            return Begun(order=found, step=found.step(disapproved_id))

        begun, headers = idempotency.once(alias_of("orders"), key, disapproved, again=again)
        return self.answer(serializers.Step.of(begun.order, begun.step), headers=headers)
