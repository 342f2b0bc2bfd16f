"""The model of an order: what comes back, and what is paid back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.support.life.bank import Mood
from tests.support.life.parts import Parcel
from tests.support.life.sent import Sent


@dataclass
class Life(Sent):
    # Goods that come back, and money

    def announce(self, units: Mapping[int, int]) -> str | None:
        if self.status not in ("CONFIRMED", "COMPLETED"):
            return "order_not_returnable"
        left = {place: line.sent - line.back for place, line in self.lines.items()}
        for parcel in self.parcels:
            if parcel.state in ("REQUESTED", "APPROVED"):
                for place, count in parcel.units.items():
                    left[place] -= count
        try:
            self.parcels.append(Parcel(self._units(units, left)))
        except ValueError:
            return "too_many_units"
        return None

    def decide(self, number: int, approve: bool) -> str | None:
        if self.parcels[number].state == "RECEIVED" and not approve:
            if self.is_busy:
                return "step_in_progress"
        elif self.parcels[number].state != "REQUESTED":
            return "return_not_open"
        self.parcels[number].state = "APPROVED" if approve else "REFUSED"
        return None

    def receive(self, number: int, restocked: Mapping[int, int], broken: int) -> str | None:
        """restocked: what is as good as new; broken: so many more of each line at most."""
        parcel = self.parcels[number]
        if parcel.state != "APPROVED":
            return "return_not_open"
        if self.is_busy:
            return "step_in_progress"
        for place, count in restocked.items():
            line = self.lines[place]
            parcel.received[place] = min(count + broken, parcel.units[place])
            line.back += parcel.received[place]
            self.shop.stock[line.sku].on_hand += count
        parcel.state = "RECEIVED"
        self._done()
        return None

    def refund(
        self,
        mood: Mood,
        *,
        units: Mapping[int, int] | None = None,
        shipping: bool = False,
        parcel: int | None = None,
        amount: int | None = None,
    ) -> str | None:
        if self.status == "PENDING":
            return "order_not_refundable"
        if self.is_busy:
            return "step_in_progress"
        if not self.captured:
            return "nothing_captured"
        left = {
            place: max(line.standing - line.refunded_units, 0) for place, line in self.lines.items()
        }
        chosen = dict(units or {})
        is_for_all = not chosen and not shipping and parcel is None and amount is None
        shares: dict[int, int] = {}
        of_shipping = 0
        room = max(self.shipping - self.shipping_refunded, 0)
        if is_for_all:
            shares, of_shipping = self._spread(self.kept)
            gives = self.kept
        elif amount is not None:
            gives = amount
        else:
            if parcel is not None:
                if self.parcels[parcel].state != "RECEIVED":
                    return "return_not_received"
                chosen = self._to_pay_back(self.parcels[parcel])
            elif chosen:
                try:
                    chosen = self._units(chosen, left)
                except ValueError:
                    return "too_many_units"
            shares = {place: self._share(place, count) for place, count in chosen.items()}
            of_shipping = room if shipping else 0
            gives = sum(shares.values()) + of_shipping
        if not 0 < gives <= self.kept:
            return "refund_exceeds_payment"
        is_for_parts = not is_for_all and amount is None
        if is_for_parts and self.for_goods < self._due(gives_back=shares, shipping=of_shipping):
            return "refund_exceeds_payment"
        of_parts = sum(shares.values()) + of_shipping
        never_due = min(gives - of_parts, max(self.for_goods - self.total, 0))

        def then() -> None:
            for place, share in shares.items():
                self.lines[place].refunded += share
            for place, count in chosen.items():
                self.lines[place].refunded_units += count
            self.shipping_refunded += of_shipping
            self.less += never_due
            if parcel is not None:
                self.parcels[parcel].state = "REFUNDED"
            self._done()

        return self._begin(
            gives,
            lambda mood: self._move(gives, mood, "refund_refused", self._refund(gives), then),
            mood,
        )

    def _done(self) -> None:
        """What came back and has nothing left to be paid back for is over, too."""
        super()._done()
        is_all_given = 0 < self.total <= self.for_goods and not self.kept
        for parcel in self.parcels:
            left = self._to_pay_back(parcel)
            if parcel.state == "RECEIVED" and (
                is_all_given or not any(self._share(place, n) for place, n in left.items())
            ):
                parcel.state = "REFUNDED"

    def _to_pay_back(self, parcel: Parcel) -> dict[int, int]:
        """Refunds of units are first for those that came back."""
        unpaid = {
            place: min(count, self.lines[place].back - self.lines[place].refunded_units)
            for place, count in parcel.received.items()
        }
        return {place: count for place, count in unpaid.items() if count > 0}

    def _share(self, place: int, units: int) -> int:
        line = self.lines[place]
        first = line.refunded_units
        return min(line.worth(first + units) - line.worth(first), line.refundable)
