"""Payments over HTTP: to look at, capture, void and refund, and the gateways' notifications."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Model
from django.http import HttpRequest, HttpResponse

from domains.payments import errors, gateways, models, services
from domains.payments.api import serializers
from domains.payments.queries import payments as queries
from domains.payments.rules.operations import refuse_failed, refuse_failed_void
from infrastructure import clock
from infrastructure.auth.permissions import AUTHENTICATED, PUBLIC
from infrastructure.database.contexts import alias_of
from infrastructure.http import idempotency
from infrastructure.http.views import APIView, operation

NOT_STORED = {"Cache-Control": "no-store"}
READ_ALL = "payments.read"

# (now, rows to write with the operation, given its id) -> the payment and the operation
Move = Callable[
    [datetime, Callable[[UUID], Sequence[Model]]], tuple[models.Payment, models.Operation]
]


class Payment(APIView):
    scopes = {"GET": AUTHENTICATED}

    @operation(
        summary="Read a payment",
        description="Staff may read every payment, customers their own.",
        responses={200: serializers.Payment},
        errors=[errors.PaymentNotFound],
        etag=True,
    )
    def get(self, request: HttpRequest, payment_id: UUID) -> HttpResponse:
        actor = self.actor
        customer_id = None if actor.may(READ_ALL) else actor.id
        payment = queries.payment(payment_id, customer_id=customer_id)
        shown = serializers.Payment.of(payment, for_staff=customer_id is None)
        return self.answer(shown, etag=payment.version, headers=NOT_STORED)


class MovesMoney(APIView):
    """One operation at the gateway per Idempotency-Key, and the payment after it."""

    def move(self, request: HttpRequest, payment_id: UUID, body: Any, move: Move) -> HttpResponse:
        """move: begin the operation and ask the gateway, writing these rows with it."""
        key = self.idempotency(request, body)
        assert key is not None

        def ask() -> tuple[queries.PaymentView, UUID]:
            now = clock.now()
            payment, moved = move(now, lambda operation_id: [key.record(operation_id, now)])
            return queries.view_of(payment), moved.id

        (payment, operation_id), headers = idempotency.once(
            alias_of("payments"),
            key,
            ask,
            again=lambda operation_id: (queries.payment(payment_id), operation_id),
        )
        moved = next(o for o in payment.operations if o.id == operation_id)
        refuse_failed(moved)
        return _answer_to_command(
            self, payment, is_finished=moved.finished_at is not None, headers=headers
        )


class Capture(MovesMoney):
    scopes = {"POST": "payments.capture"}

    @operation(
        summary="Take authorised money",
        description=(
            "200 when the money is taken. 202 when the gateway has not answered: the same request "
            "is sent to it again until it does; look at the payment."
        ),
        body=serializers.Capture,
        responses={200: serializers.Payment, 202: serializers.Payment},
        errors=[
            errors.PaymentNotFound,
            errors.PaymentNotAuthorised,
            errors.PaymentAlreadyCaptured,
            errors.PaymentOperationInProgress,
            errors.CaptureTooLarge,
            errors.InvalidPaymentAmount,
            errors.NotSupportedByGateway,
            errors.PaidByReceipt,
            errors.GatewayRefused,
            errors.PaymentsUnavailable,
            idempotency.Duplicate,
        ],
        idempotency="required",
        etag=True,
    )
    def post(self, request: HttpRequest, payment_id: UUID) -> HttpResponse:
        body = self.body(serializers.Capture)
        return self.move(
            request,
            payment_id,
            body,
            lambda now, also: services.capture(
                payment_id=payment_id,
                amount=body.amount.to_money() if body.amount else None,
                actor_id=self.actor.id,
                now=now,
                also=also,
            ),
        )


class Refunds(MovesMoney):
    scopes = {"POST": "payments.refund"}

    @operation(
        summary="Give captured money back",
        description=(
            "All of it, or a part; as often as there is something left. 200 when the money is on "
            "its way back. 202 when the gateway has not answered: the same request is sent to it "
            "again until it does, and until then there is no other refund. More than "
            "`REFUND_APPROVAL_ABOVE` takes a second person: refund it by its order, "
            "`POST /orders/{id}/refunds`."
        ),
        body=serializers.Refund,
        responses={200: serializers.Payment, 202: serializers.Payment},
        errors=[
            errors.PaymentNotFound,
            errors.PaymentNotCaptured,
            errors.PaymentOperationInProgress,
            errors.RefundTooLarge,
            errors.SecondPersonRequired,
            errors.InvalidPaymentAmount,
            errors.NotSupportedByGateway,
            errors.GatewayRefused,
            errors.PaymentsUnavailable,
            idempotency.Duplicate,
        ],
        idempotency="required",
        etag=True,
        examples={
            "a part": {
                "amount": {"amount": "2.55", "currency": "GBP"},
                "reason": "one arrived broken",
            }
        },
    )
    def post(self, request: HttpRequest, payment_id: UUID) -> HttpResponse:
        body = self.body(serializers.Refund)
        return self.move(
            request,
            payment_id,
            body,
            lambda now, also: services.refund(
                payment_id=payment_id,
                amount=body.amount.to_money() if body.amount else None,
                reason=body.reason,
                actor_id=self.actor.id,
                now=now,
                also=also,
            ),
        )


class Void(APIView):
    scopes = {"POST": "payments.void"}

    @operation(
        summary="Let authorised money go",
        description=(
            "200 when nothing is held any more. 202 when the gateway has not answered: the void is "
            "carried out as soon as it does. Harmless to repeat; where the gateway refused, a "
            "request with another key, or none, asks it once more. What was taken in part stays "
            "taken; the rest is let go, which is `released` then."
        ),
        responses={200: serializers.Payment, 202: serializers.Payment},
        errors=[
            errors.PaymentNotFound,
            errors.PaymentAlreadyCaptured,
            errors.PaymentOperationInProgress,
            errors.GatewayRefused,
            errors.PaymentsUnavailable,
        ],
        idempotency="accepted",
        etag=True,
    )
    def post(self, request: HttpRequest, payment_id: UUID) -> HttpResponse:
        key = self.idempotency(request, None)

        def void() -> queries.PaymentView:
            now = clock.now()
            payment = services.void(
                payment_id=payment_id,
                actor_id=self.actor.id,
                now=now,
                also=lambda: [key.record(payment_id, now)] if key else [],
            )
            return queries.view_of(payment)

        payment, headers = idempotency.once(
            alias_of("payments"), key, void, again=lambda _: queries.payment(payment_id)
        )
        refuse_failed_void(payment.operations)
        return _answer_to_command(self, payment, is_finished=payment.is_let_go, headers=headers)


class Receipts(APIView):
    scopes = {"POST": "payments.record"}

    @operation(
        summary="Record money that came by bank",
        description=(
            "For payments by bank transfer or invoice. The bank's reference makes it one receipt, "
            "however often it is sent. What is prepaid is authorised once the whole amount has "
            "come; what came too much, or too late, needs the attention of staff and can be "
            "refunded."
        ),
        body=serializers.Receipt,
        responses={200: serializers.Payment},
        errors=[
            errors.PaymentNotFound,
            errors.ReceiptsNotTaken,
            errors.ReceiptDiffers,
            errors.InvalidReceipt,
            errors.InvalidPaymentAmount,
        ],
        idempotency="accepted",
        etag=True,
        examples={
            "a transfer": {
                "amount": {"amount": "13.59", "currency": "GBP"},
                "reference": "2026-03-04/4711",
                "received_at": "2026-03-04T08:00:00Z",
            }
        },
    )
    def post(self, request: HttpRequest, payment_id: UUID) -> HttpResponse:
        body = self.body(serializers.Receipt)
        key = self.idempotency(request, body)

        def record() -> queries.PaymentView:
            now = clock.now()
            payment = services.record_receipt(
                payment_id=payment_id,
                amount=body.amount.to_money(),
                reference=body.reference,
                received_at=body.received_at,
                actor_id=self.actor.id,
                now=now,
                also=lambda: [key.record(payment_id, now)] if key else [],
            )
            return queries.view_of(payment)

        payment, headers = idempotency.once(
            alias_of("payments"), key, record, again=lambda _: queries.payment(payment_id)
        )
        return self.answer(
            serializers.Payment.of(payment), etag=payment.version, headers=NOT_STORED | headers
        )


class Refresh(APIView):
    scopes = {"POST": AUTHENTICATED}

    @operation(
        summary="Ask the gateway how a payment stands",
        description=(
            "For when the customer is back from confirming it (3-D Secure), before the gateway's "
            "notification is there. Staff may ask for every payment, customers for their own. "
            "Harmless to repeat."
        ),
        responses={200: serializers.Payment},
        errors=[errors.PaymentNotFound, errors.PaymentsUnavailable],
        etag=True,
    )
    def post(self, request: HttpRequest, payment_id: UUID) -> HttpResponse:
        actor = self.actor
        customer_id = None if actor.may(READ_ALL) else actor.id
        payment = services.refresh(payment_id=payment_id, customer_id=customer_id, now=clock.now())
        return self.answer(
            serializers.Payment.of(queries.view_of(payment), for_staff=customer_id is None),
            etag=payment.version,
            headers=NOT_STORED,
        )


class Notifications(APIView):
    scopes = {"POST": PUBLIC}
    rate = {"POST": "webhooks"}
    ignores_credentials = True

    @operation(
        summary="Take a gateway's notification",
        description=(
            "For gateways only. The body and the header of its signature are the gateway's own: "
            "`Gateway-Signature` (simulated) and `Stripe-Signature` are "
            "`t=<unix seconds>,v1=<hex>`, the HMAC-SHA256 of the time, a dot and the raw body. It "
            "is checked before anything is read. Notifications may come early, late and more than "
            "once. 202: kept, since its payment is not known yet, or since it contradicts what is."
        ),
        body=serializers.SimulatedNotification,
        responses={202: None, 204: None},
        errors=[
            errors.UnknownGateway,
            errors.InvalidSignature,
            errors.InvalidNotification,
            errors.UnknownOperation,
            errors.PaymentsUnavailable,
        ],
    )
    def post(self, request: HttpRequest, gateway: str) -> HttpResponse:
        is_settled = services.receive_notification(
            gateway=gateway,
            body=request.body,
            signature=request.headers.get(gateways.signature_header_of(gateway), ""),
            now=clock.now(),
        )
        return self.answer(status=204 if is_settled else 202)


def _answer_to_command(
    view: APIView, payment: queries.PaymentView, *, is_finished: bool, headers: dict[str, str]
) -> HttpResponse:
    given = NOT_STORED | headers
    if not is_finished:
        given["Location"] = f"/api/v1/payments/{payment.id}"
    return view.answer(
        serializers.Payment.of(payment),
        status=200 if is_finished else 202,
        etag=payment.version,
        headers=given,
    )
