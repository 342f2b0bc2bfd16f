"""How an order stands with its payment: its customer pays, or tries another one."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from domains.orders.models.base import OrderBase
from domains.orders.models.terms import PaymentChoice
from domains.orders.rules.placement import PLACEMENT_DEADLINE, Status


class Paying(OrderBase):
    class Meta:
        abstract = True

    # Commands

    def await_payment(self, *, until: datetime, now: datetime) -> None:
        """The customer has to do something before it can be decided: confirm the payment, send the
        money, or try again."""
        self._require(Status.PENDING)
        self.pay_until = until
        self.settle_at = now + PLACEMENT_DEADLINE

    def pay_again(
        self, payment: PaymentChoice, *, payment_id: UUID, drop_earlier: bool, now: datetime
    ) -> None:
        """Try another payment. The earlier one is let go first, if it could still become good."""
        self._require(Status.PENDING)
        if drop_earlier:
            self.superseded_payment_id = self.payment_id
        self.payment_id = payment_id
        self.payment_method, self.payment_token = payment.method, payment.token
        self.payment_return_url = payment.return_url
        self.settle_at = now + PLACEMENT_DEADLINE

    def drop_superseded_payment(self) -> None:
        """The earlier payment holds nothing, and never will."""
        self.superseded_payment_id = None

    def keep_superseded_payment(self) -> None:
        """The earlier payment became good before it could be let go, so it is the order's."""
        assert self.superseded_payment_id is not None
        self.payment_id, self.superseded_payment_id = self.superseded_payment_id, None

    def see_payment(self, status: str) -> None:
        """Remember how the payment stands, for lists; it is written with the next change."""
        self.payment_status = status
