"""What Stripe's objects and events say, in the words of the port. Pure functions over their JSON.

An operation's key is in the metadata of what it made (`operation`), and is the Idempotency-Key of
the request that an event names; either finds it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from domains.payments.gateways.port import Dispute, Listed, NoAnswer, Notification
from domains.payments.gateways.stripe.amounts import from_stripe
from domains.payments.rules.gateways import KeptMethod, Reply
from domains.payments.rules.operations import OperationKind, OperationState

OPERATION = "operation"

Told = Mapping[str, Any]

# What an endpoint at Stripe has to be subscribed to; `charge.refunded` tells nothing that the
# refund's own events do not tell better, and is taken without an effect.
AUTHORISATION_EVENTS = (
    "payment_intent.amount_capturable_updated",
    "payment_intent.requires_action",
    "payment_intent.payment_failed",
)
CAPTURE_EVENT, VOID_EVENT = "charge.captured", "payment_intent.canceled"
REFUND_EVENTS = ("refund.created", "refund.updated", "refund.failed")
DISPUTE_EVENTS = (
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
    "charge.dispute.closed",
)
LISTED_EVENTS = (*AUTHORISATION_EVENTS, CAPTURE_EVENT, VOID_EVENT, *REFUND_EVENTS)


def reply_of_intent(intent: Told) -> Reply:
    """What a PaymentIntent says of its authorisation. Raises NoAnswer while it says nothing."""
    reference = str(intent["id"])
    match intent["status"]:
        case "requires_capture" | "succeeded":
            return Reply(gateway_reference=reference)
        case "requires_action":
            url = _redirect_of(intent)
            if url:
                return Reply(gateway_reference=reference, action_url=url)
            return Reply(gateway_reference=reference, refusal="authentication_required")
        case "requires_payment_method":
            return Reply(gateway_reference=reference, refusal=_failure_of(intent))
        case "canceled":
            reason = intent.get("cancellation_reason") or "canceled"
            return Reply(gateway_reference=reference, refusal=str(reason))
    raise NoAnswer(f"The PaymentIntent is {intent['status']}.", is_silence=False)


def reply_of_refund(refund: Told) -> Reply:
    """Raises NoAnswer while the refund is under way."""
    reference = str(refund["id"])
    match refund["status"]:
        case "succeeded":
            return Reply(gateway_reference=reference)
        case "failed" | "canceled":
            reason = refund.get("failure_reason") or refund["status"]
            return Reply(gateway_reference=reference, refusal=str(reason))
    raise NoAnswer(f"The refund is {refund['status']}.", is_silence=False)


def kept_method(intent: Told) -> KeptMethod | None:
    """The card that Stripe keeps for the customer, where the PaymentIntent says all of it."""
    method, customer = intent.get("payment_method"), intent.get("customer")
    if not isinstance(method, Mapping) or not customer or method.get("type") != "card":
        return None
    card = method["card"]
    return KeptMethod(
        token=f"{customer}/{method['id']}",
        brand=str(card["brand"]),
        last4=str(card["last4"]),
        expiry_month=int(card["exp_month"]),
        expiry_year=int(card["exp_year"]),
    )


def notification_of(event: Told) -> Notification | None:
    """None for an event that is about nothing of ours."""
    if event["type"] in DISPUTE_EVENTS:
        return _notification_of_dispute(event["data"]["object"])
    operation = listed(event)
    if operation is None:
        return None
    try:
        reply = _reply_of(event, operation)
    except NoAnswer:
        return None
    return Notification(key=operation.key, reply=reply, operation=operation)


def listed(event: Told) -> Listed | None:
    """The operation that an event is about; None for what is no operation, or not ours."""
    kind, told = event["type"], event["data"]["object"]
    if kind in AUTHORISATION_EVENTS:
        return _listed_authorisation(event, told)
    if kind == VOID_EVENT and OPERATION in told["metadata"]:
        return _listed(
            event,
            OperationKind.VOID,
            key=_key_of_request(event),
            reference=told["id"],
            authorisation=told["id"],
            amount=told["amount"],
        )
    if kind == CAPTURE_EVENT and told["payment_intent"]:
        return _listed(
            event,
            OperationKind.CAPTURE,
            key=_key_of_request(event),
            # A charge may be captured in parts, and the parts have no names of their own.
            reference=event["id"],
            authorisation=told["payment_intent"],
            # Nor amounts: what had been captured before is told with *.updated events only.
            amount=told["amount_captured"],
            is_total=True,
        )
    if kind in REFUND_EVENTS and told["payment_intent"]:
        return _listed(
            event,
            OperationKind.REFUND,
            key=_uuid((told["metadata"] or {}).get(OPERATION)),
            reference=told["id"],
            authorisation=told["payment_intent"],
            amount=told["amount"],
            state=_REFUND_STATES.get(told["status"], OperationState.SENT),
        )
    return None


_REFUND_STATES = {
    "succeeded": OperationState.SUCCEEDED,
    "failed": OperationState.FAILED,
    "canceled": OperationState.FAILED,
}


def _listed_authorisation(event: Told, intent: Told) -> Listed | None:
    key = _uuid(intent["metadata"].get(OPERATION))
    if key is None or intent.get("amount_received"):
        return None  # somebody else's, or told since a part was captured
    try:
        state = (
            OperationState.SUCCEEDED
            if (reply := reply_of_intent(intent)).is_success
            else OperationState.FAILED
            if reply.refusal
            else OperationState.SENT
        )
    except NoAnswer:
        state = OperationState.SENT
    return _listed(
        event,
        OperationKind.AUTHORISE,
        key=key,
        reference=intent["id"],
        authorisation=intent["id"],
        amount=intent["amount"],
        state=state,
    )


def _listed(
    event: Told,
    kind: OperationKind,
    *,
    key: UUID | None,
    reference: str,
    authorisation: str,
    amount: int,
    state: OperationState = OperationState.SUCCEEDED,
    is_total: bool = False,
) -> Listed:
    currency = str(event["data"]["object"]["currency"]).upper()
    return Listed(
        key=key,
        kind=kind,
        reference=reference,
        authorisation=authorisation,
        amount_minor=from_stripe(amount, currency),
        currency=currency,
        state=state,
        at=datetime.fromtimestamp(event["created"], UTC),
        is_total=is_total,
    )


def _reply_of(event: Told, operation: Listed) -> Reply:
    told = event["data"]["object"]
    if operation.kind == OperationKind.AUTHORISE:
        return reply_of_intent(told)
    if operation.kind == OperationKind.REFUND:
        return reply_of_refund(told)
    return Reply(gateway_reference=told["id"])


def _notification_of_dispute(told: Told) -> Notification | None:
    if not told["payment_intent"]:
        return None
    currency = str(told["currency"]).upper()
    return Notification(
        key=None,
        reply=Reply(gateway_reference=told["id"]),
        dispute=Dispute(
            reference=told["id"],
            authorisation=told["payment_intent"],
            reason=told["reason"],
            status=told["status"],
            amount_minor=from_stripe(told["amount"], currency),
            currency=currency,
        ),
    )


def _redirect_of(intent: Told) -> str:
    redirect = (intent.get("next_action") or {}).get("redirect_to_url") or {}
    return str(redirect.get("url") or "")


def _failure_of(intent: Told) -> str:
    error = intent.get("last_payment_error") or {}
    return str(error.get("decline_code") or error.get("code") or "declined")


def _key_of_request(event: Told) -> UUID | None:
    return _uuid((event.get("request") or {}).get("idempotency_key"))


def _uuid(text: object) -> UUID | None:
    try:
        return UUID(str(text))
    except ValueError:
        return None
