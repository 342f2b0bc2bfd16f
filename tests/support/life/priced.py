"""The model of an order: for what of it its money was taken, and given back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.support.life.parts import Drop
from tests.support.life.placed import Placed


@dataclass
class Priced(Placed):
    """Refunds of a line are for what was sent of it first; those of an amount, for whatever was
    sent. Shipping counts as sent with the first parcel."""

    @property
    def refunded_at_large(self) -> int:
        """For no line, and not for shipping."""
        named = self.shipping_refunded + sum(line.refunded for line in self.lines.values())
        return max(self.refunded - self.less - named, 0)

    def _due(
        self,
        *,
        sends: Mapping[int, int] | None = None,
        gives_back: Mapping[int, int] | None = None,
        shipping: int = 0,
    ) -> int:
        """What has to be taken so that all that was sent is paid, after so many more units were
        sent, or so much more of lines and shipping was given back."""
        at_large = self.refunded_at_large  # none of what is given back here
        of_sent = of_unsent = unrefunded = 0
        for sent, refunded in [
            *(
                (
                    line.worth(line.sent + (sends or {}).get(place, 0)),
                    line.refunded + (gives_back or {}).get(place, 0),
                )
                for place, line in self.lines.items()
            ),
            (self.shipping if sends or self.is_sent else 0, self.shipping_refunded + shipping),
        ]:
            of_sent += sent
            if refunded > sent:
                of_unsent += refunded - sent
            else:
                unrefunded += sent - refunded
        if at_large > unrefunded:
            of_unsent += at_large - unrefunded
        return min(of_sent + of_unsent, self.total)

    def _drop(self, left: Mapping[int, int], shipping: int, total: int) -> Drop:
        """If lines cost no more than `left`, and nothing where they are not in it."""
        lines: dict[int, int] = {}
        unrefunded = 0
        for place, line in self.lines.items():
            ahead = line.refunded - line.worth(line.sent)
            unrefunded += max(-ahead, 0)
            gone = line.worth(line.standing) - left.get(place, 0)
            if gone > 0 and ahead > 0:
                lines[place] = min(gone, ahead)
        ahead = self.shipping_refunded - (self.shipping if self.is_sent else 0)
        unrefunded += max(-ahead, 0)
        of_shipping = max(min(self.shipping - shipping, ahead), 0)
        too_much = max(self.for_goods - total, 0)
        too_much = max(too_much - sum(lines.values()) - of_shipping, 0)
        at_large = min(too_much, max(self.refunded_at_large - unrefunded, 0))
        return Drop(min(too_much - at_large, self.kept), lines, of_shipping, at_large)

    def _set_off(self, drop: Drop, fewer: Mapping[int, int]) -> None:
        """Before the units go. fewer: by how many each line falls."""
        for place, minor in drop.lines.items():
            line = self.lines[place]
            line.refunded -= minor
            unsent = max(line.refunded_units - line.sent, 0)
            line.refunded_units -= min(max(fewer.get(place, 0), 0), unsent)
        self.shipping_refunded -= drop.shipping
        self.less += drop.set_off

    def _spread(self, amount: int) -> tuple[dict[int, int], int]:
        """An amount over all that was not refunded, of what was sent first: of lines, and of the
        shipping."""
        rooms = [
            *(
                (line.worth(line.sent), line.worth(line.standing), line.refunded)
                for line in self.lines.values()
            ),
            (self.shipping if self.is_sent else 0, self.shipping, self.shipping_refunded),
        ]
        shares = [0 for _ in rooms]
        for ends_at_sent in (True, False):
            for number, (sent, whole, refunded) in enumerate(rooms):
                end = sent if ends_at_sent else whole
                share = min(amount, max(end - refunded - shares[number], 0))
                shares[number] += share
                amount -= share
        *of_lines, of_shipping = shares
        return dict(zip(self.lines, of_lines, strict=True)), of_shipping
