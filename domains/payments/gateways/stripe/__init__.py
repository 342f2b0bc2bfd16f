"""Stripe: PaymentIntents that are captured later, through the official library.

An operation's id is the Idempotency-Key of its request, which Stripe honours for 24 hours, and is
kept in the metadata of what it made, where it can be looked up for good. The library repeats
nothing by itself: what is sent again, and when, is payments' business.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import datetime
from http import HTTPStatus
from typing import Any

import requests
import stripe
import structlog
from django.conf import settings

from domains.payments.errors import InvalidNotification, InvalidSignature
from domains.payments.gateways.port import (
    Authorise,
    Capabilities,
    Capture,
    Listed,
    NoAnswer,
    Notification,
    Refund,
    Request,
    Void,
)
from domains.payments.gateways.stripe import told
from domains.payments.gateways.stripe.amounts import NotRepresentable, to_stripe
from domains.payments.gateways.stripe.timed import TimedClient
from domains.payments.gateways.stripe.told import Told
from domains.payments.rules.gateways import Reply

log = structlog.get_logger(__name__)
# The library tells of every request, in words that may be about the customer.
logging.getLogger("stripe").setLevel(logging.WARNING)

SIGNATURE_HEADER = "Stripe-Signature"
SIGNATURE_TOLERANCE_SECONDS = 300
_REPLAYED_HEADER = "Idempotent-Replayed"


class StripeGateway:
    """Raises NoAnswer for whatever leaves open what Stripe did: silence, faults of theirs, limits,
    and refused credentials. Any number of threads may use it."""

    def __init__(self) -> None:
        self._webhook_secret = settings.STRIPE_WEBHOOK_SECRET
        self._multicapture = settings.STRIPE_MULTICAPTURE
        self.capabilities = Capabilities(
            multiple_captures=self._multicapture,
            three_d_secure=True,
            saved_methods=True,
            listing=True,
        )
        self._http = TimedClient(
            connect_s=settings.PAYMENT_GATEWAY_CONNECT_TIMEOUT,
            read_s=settings.PAYMENT_GATEWAY_READ_TIMEOUT,
        )
        bases: Any = {"api": settings.STRIPE_API_BASE} if settings.STRIPE_API_BASE else None
        self._stripe = stripe.StripeClient(
            settings.STRIPE_SECRET_KEY,
            http_client=self._http,
            base_addresses=bases,
            max_network_retries=0,
        ).v1

    def send(self, request: Request) -> Reply:
        with self._http.one_time():
            return self._sent(request)

    def _sent(self, request: Request) -> Reply:
        try:
            return self._carried_out(request)
        except stripe.APIError as error:
            # Stripe repeats a fault of its own under the same key, whatever it had done by then.
            if (error.http_status or 0) >= 500 and (found := self.lookup(request)) is not None:
                return found
            raise _silence(error) from error
        except stripe.StripeError as error:
            return _refusal(error)
        except NotRepresentable:
            return Reply(refusal="amount_not_representable")

    def lookup(self, request: Request) -> Reply | None:
        try:
            with self._http.one_time():
                return self._found(request)
        except stripe.StripeError as error:
            raise _silence(error) from error

    def notification(self, *, body: bytes, signature: str, now: float) -> Notification | None:
        try:
            stripe.WebhookSignature.verify_header(
                body.decode(), signature, self._webhook_secret, SIGNATURE_TOLERANCE_SECONDS
            )
        except (stripe.SignatureVerificationError, UnicodeDecodeError) as error:
            raise InvalidSignature(
                f"{SIGNATURE_HEADER} does not fit the body and the time."
            ) from error
        try:
            event = json.loads(body)
            # An event names a card that is kept, and does not tell of it: `lookup` does.
            return told.notification_of(event)
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidNotification("This is no event of Stripe's.") from error

    def listing(self, since: datetime, until: datetime) -> Iterator[Listed]:
        """From Stripe's events, which it keeps for 30 days; it tells the newest first."""
        try:
            page = self._stripe.events.list(
                {
                    "types": list(told.LISTED_EVENTS),
                    "created": {"gte": int(since.timestamp()), "lt": int(until.timestamp())},
                    "limit": 100,
                }
            )
            events = [event.to_dict() for event in page.auto_paging_iter()]
        except stripe.StripeError as error:
            raise _silence(error) from error
        for event in reversed(events):
            if (operation := told.listed(event)) is not None:
                yield operation

    def forget(self, saved_method: str) -> None:
        """Have Stripe delete the customer that stands for one saved card, which lets go of the
        card; what is gone already is no error."""
        customer, _ = saved_method.split("/")
        try:
            self._stripe.customers.delete(customer)
        except stripe.InvalidRequestError:
            log.info("saved_method_was_forgotten_before", gateway="stripe")
        except stripe.StripeError as error:
            raise _silence(error) from error

    def close(self) -> None:
        self._http.close()

    # Sending

    def _carried_out(self, request: Request) -> Reply:
        match request:
            case Authorise():
                return self._authorised(request)
            case Capture():
                intent = self._stripe.payment_intents.capture(
                    request.authorisation, self._capture_of(request), _once(request)
                )
                return Reply(gateway_reference=str(intent.latest_charge or intent.id))
            case Void():
                return self._voided(request)
            case Refund():
                refund = self._stripe.refunds.create(
                    {
                        "payment_intent": request.authorisation,
                        "amount": to_stripe(request.amount_minor, request.currency),
                        "metadata": {told.OPERATION: str(request.key)},
                    },
                    _once(request),
                )
                if _is_replayed(refund):
                    refund = self._stripe.refunds.retrieve(refund.id)
                return told.reply_of_refund(refund.to_dict())

    def _authorised(self, request: Authorise) -> Reply:
        intent = self._stripe.payment_intents.create(self._intent_of(request), _once(request))
        if _is_replayed(intent):
            # It is what it was when it was first told; the customer may have confirmed it since.
            intent = self._stripe.payment_intents.retrieve(
                intent.id, {"expand": ["payment_method"]}
            )
        return _with_kept(intent.to_dict(), asked=request.keep)

    def _intent_of(self, request: Authorise) -> Any:
        asked: dict[str, Any] = {
            "amount": to_stripe(request.amount_minor, request.currency),
            "currency": request.currency.lower(),
            "capture_method": "manual",
            "confirm": True,
            "payment_method_types": ["card"],
            "description": request.reference,
            "metadata": {told.OPERATION: str(request.key), "reference": request.reference},
            "expand": ["payment_method"],
            **self._means_of(request),
        }
        if self._multicapture:
            asked["payment_method_options"] = {"card": {"request_multicapture": "if_available"}}
        if request.return_url:
            asked["return_url"] = request.return_url
        else:
            asked["error_on_requires_action"] = True
        if request.keep:
            asked["customer"] = self._stripe.customers.create(
                {"metadata": {told.OPERATION: str(request.key)}},
                {"idempotency_key": f"{request.key}-customer"},
            ).id
            asked["setup_future_usage"] = "on_session"
        return asked

    def _means_of(self, request: Authorise) -> dict[str, Any]:
        """Tokens of every age of Stripe's API, or what the customer left there."""
        if request.saved_method:
            customer, method = request.saved_method.split("/")
            return {"customer": customer, "payment_method": method}
        if request.token.startswith("ctoken_"):
            return {"confirmation_token": request.token}
        if request.token.startswith("pm_"):
            return {"payment_method": request.token}
        made = self._stripe.payment_methods.create(
            {"type": "card", "card": {"token": request.token}},
            {"idempotency_key": f"{request.key}-method"},
        )
        return {"payment_method": made.id}

    def _capture_of(self, request: Capture) -> Any:
        asked: dict[str, Any] = {
            "amount_to_capture": to_stripe(request.amount_minor, request.currency),
            "metadata": {_mark_of(request): str(request.amount_minor)},
        }
        if self._multicapture:
            asked["final_capture"] = False
        return asked

    def _voided(self, request: Void) -> Reply:
        try:
            intent = (
                self._rest_released(request)
                if request.rest
                else self._stripe.payment_intents.cancel(request.authorisation, {}, _once(request))
            )
        except stripe.InvalidRequestError:
            # It may have expired, or been cancelled in the dashboard: then no money is held.
            found = self.lookup(request)
            if found is None:
                raise
            return found
        return Reply(gateway_reference=intent.id)

    def _rest_released(self, request: Void) -> stripe.PaymentIntent:
        """A last capture, of nothing. Without multicapture the first one was the last, unless the
        payment was made while the account had it. Raises NoAnswer while Stripe has not decided."""
        intent = None
        if not self._multicapture:
            intent = self._stripe.payment_intents.retrieve(request.authorisation)
        if intent is None or intent.status == "requires_capture":
            intent = self._stripe.payment_intents.capture(
                request.authorisation,
                {"amount_to_capture": 0, "final_capture": True},
                _once(request),
            )
        if intent.status not in ("succeeded", "canceled"):
            raise NoAnswer(f"The PaymentIntent is {intent.status}.", is_silence=False)
        return intent

    # Looking up

    def _found(self, request: Request) -> Reply | None:
        if isinstance(request, Authorise) and request.known_as:
            intent = self._stripe.payment_intents.retrieve(
                request.known_as, {"expand": ["payment_method"]}
            ).to_dict()
            return None if _is_untried(intent) else _with_kept(intent, asked=request.keep)
        if isinstance(request, Authorise):
            # Found by search a minute after it was made, or later: the last resort.
            query = f"metadata['{told.OPERATION}']:'{request.key}'"
            page = self._stripe.payment_intents.search(
                {"query": query, "expand": ["data.payment_method"]}
            )
            intents = [intent.to_dict() for intent in page.data]
            if not intents or _is_untried(intents[0]):
                return None
            return _with_kept(intents[0], asked=request.keep)
        if isinstance(request, Refund):
            refunds = self._stripe.refunds.list(
                {"payment_intent": request.authorisation, "limit": 100}
            )
            for found in refunds.auto_paging_iter():
                refund = found.to_dict()
                if (refund["metadata"] or {}).get(told.OPERATION) == str(request.key):
                    return told.reply_of_refund(refund)
            return None
        intent = self._stripe.payment_intents.retrieve(request.authorisation).to_dict()
        if isinstance(request, Capture):
            is_done = _mark_of(request) in intent["metadata"]
            reference = str(intent["latest_charge"] or intent["id"])
            return Reply(gateway_reference=reference) if is_done else None
        if intent["status"] == "canceled" or (request.rest and intent["status"] == "succeeded"):
            return Reply(gateway_reference=intent["id"])
        return Reply(refusal="already_captured") if intent["status"] == "succeeded" else None


def _once(request: Request) -> Any:
    return {"idempotency_key": str(request.key)}


def _mark_of(request: Capture) -> str:
    """A PaymentIntent has one set of metadata for all its captures; names have 40 characters."""
    return f"capture_{request.key.hex[-32:]}"


def _with_kept(intent: Told, *, asked: bool) -> Reply:
    reply = told.reply_of_intent(intent)
    if not asked or not reply.is_success:
        return reply
    return Reply(gateway_reference=reply.gateway_reference, kept=told.kept_method(intent))


def _is_untried(intent: Told) -> bool:
    return intent["status"] == "requires_payment_method" and not intent["last_payment_error"]


def _is_replayed(answer: Any) -> bool:
    headers = answer.last_response.headers
    return str(headers.get(_REPLAYED_HEADER, "")).lower() == "true"


def _refusal(error: stripe.StripeError) -> Reply:
    """What Stripe says no to: a card's decline, or a request that cannot be carried out."""
    if isinstance(error, stripe.CardError | stripe.InvalidRequestError):
        detail = error.error
        code = (detail and (detail.decline_code or detail.code)) or error.code or "refused"
        intent = detail.payment_intent if detail else None
        return Reply(gateway_reference=intent["id"] if intent else "", refusal=code)
    raise _silence(error) from error


def _silence(error: stripe.StripeError) -> NoAnswer:
    """Without the body: it may tell of the customer."""
    told_of = " ".join(
        str(part) for part in (error.http_status, error.code, error.request_id) if part
    )
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        log.error("gateway_refuses_our_key", gateway="stripe", reason=told_of)
    return NoAnswer(f"{type(error).__name__} {told_of}".strip(), is_passing=_is_passing(error))


def _is_passing(error: stripe.StripeError) -> bool:
    if isinstance(error, stripe.APIConnectionError):
        # A connection that is refused or broken is told at once; a time-out is not asked for twice.
        is_broken = isinstance(error.__cause__, requests.ConnectionError)
        return is_broken and not isinstance(error.__cause__, requests.Timeout)
    return error.http_status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
