"""The payment of an order that waits for its customer: another one, or a look at how it stands."""

from __future__ import annotations

from django import forms

from domains.orders.admin.doings.base import Comes, Doing, owed_by_guest
from domains.orders.admin.fields import (
    means_said,
    method_field,
    saved_card_fields,
    token_field,
)
from domains.orders.admin.showing import words
from domains.orders.errors import PaymentDeclined
from domains.orders.models import PaymentChoice
from domains.orders.queries.orders import confirmation_awaited
from domains.orders.services import paying
from domains.orders.services.placement import Placed
from domains.payments import public as payments


class PayAgain(Doing):
    what, title, button = "pay", "Try another payment", "Try it"
    scope = "orders.place_for"

    def fields(self) -> dict[str, forms.Field]:
        return {
            "method": method_field(without=frozenset({"free"})),
            "token_of_payment": token_field(label="Payment token"),
            **saved_card_fields(self.order.customer_id),
        }

    def comes_to(self) -> Comes:
        choice = self._choice()
        would = paying.another_try(
            order_id=self.order.id, payment=choice, actor=self.by, now=self.now
        )
        sentences = [f"{would.total} are to be paid by {words(choice.method).lower()}."]
        if would.drops_earlier:
            sentences.append(
                "The payment before is let go first; if its money has come by then, it stays"
                " instead."
            )
        warnings = owed_by_guest(self.order, choice)
        if not self.order.keep_on_decline and choice.token:
            warnings = (*warnings, "Where it is declined, the order is over.")
        return Comes(sentences=tuple(sentences), warnings=warnings)

    def carry_out(self) -> str:
        placed = paying.pay_again(
            order_id=self.order.id,
            payment=self._choice(),
            actor=self.by,
            key=self.key,
            now=self.now,
        )
        if (refusal := placed.refusal()) is None:
            return _what_became(placed)
        if not placed.order.is_undecided:
            return f"the order is over. {refusal.detail}".rstrip(".")
        raise _told_why(placed)

    def sent_before(self) -> str:
        return "tried once" if super().sent_before() else ""

    def _choice(self) -> PaymentChoice:
        return PaymentChoice(
            method=self.said["method"],
            token=means_said(self.said, beside="token_of_payment"),
            return_url=self.return_url,
        )


def _told_why(placed: Placed) -> PaymentDeclined:
    """Of an order that waits for yet another try, with what the gateway said."""
    payment = payments.payment_view(placed.order.payment_id)
    code = words(payment.decline_code).lower() if payment and payment.decline_code else "no reason"
    return PaymentDeclined(f"The payment was declined: {code}. The order waits for another one.")


def _what_became(placed: Placed) -> str:
    if not placed.order.is_undecided:
        return f"paid by {words(placed.order.payment_method).lower()}; it is confirmed"
    if placed.payment.action_url:
        return "the customer has to confirm the payment"
    if placed.order.pay_until is not None:
        return "it waits for the customer's money"
    return "under way; the gateway has not answered yet"


class Ask(Doing):
    what, title, button, scope = "ask", "Ask whether it is confirmed", "Ask", "orders.read"
    is_previewed = False

    def about(self) -> tuple[str, ...]:
        return (
            "The gateway tells by itself how it ended, within minutes at most. Ask it now where the"
            " customer waits for you.",
        )

    def carry_out(self) -> str:
        order = paying.look(order_id=self.order.id, now=self.now)
        if confirmation_awaited(order) is not None:
            return "the customer has not confirmed the payment yet"
        return f"it is {words(order.status).lower()}"
