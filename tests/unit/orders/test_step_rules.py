"""What parts of an order are worth: whichever way it is cut, the pieces add up to it."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.orders.models import OrderStep
from domains.orders.rules import steps as rules
from domains.orders.rules.placement import FulfilmentStatus, ReturnStatus


@dataclass(kw_only=True)
class Line:
    quantity: int
    subtotal_minor: int
    discount_minor: int = 0
    tax_minor: int = 0
    amount_minor: int = 0
    cancelled: int = 0
    fulfilled: int = 0
    returned: int = 0
    refunded_minor: int = 0


@st.composite
def lines(draw: st.DrawFn) -> Line:
    quantity = draw(st.integers(1, 50))
    subtotal = draw(st.integers(0, 10**5)) * quantity
    discount = draw(st.integers(0, subtotal))
    tax = draw(st.integers(0, 10**5))
    on_top = draw(st.booleans())
    return Line(
        quantity=quantity,
        subtotal_minor=subtotal,
        discount_minor=discount,
        tax_minor=tax,
        amount_minor=subtotal - discount + (tax if on_top else 0),
    )


@given(line=lines(), cuts=st.lists(st.integers(1, 50)))
def test_the_pieces_of_a_line_add_up_to_it(line: Line, cuts: list[int]) -> None:
    done, worth = 0, 0
    for cut in [*cuts, line.quantity]:
        units = min(cut, line.quantity - done)
        worth += rules.worth_of_units(line, after=done, units=units)
        done += units
    assert worth == line.amount_minor


@given(line=lines())
def test_every_further_piece_adds_to_each_part_of_a_line(line: Line) -> None:
    pieces = [rules.amounts_of(line, units) for units in range(line.quantity + 1)]
    price = line.subtotal_minor // line.quantity
    assert [piece.subtotal_minor for piece in pieces] == [n * price for n in range(len(pieces))]
    for fewer, more in pairwise(map(astuple, pieces)):
        assert all(less <= further for less, further in zip(fewer, more, strict=True))
    assert astuple(pieces[0]) == (0, 0, 0, 0)
    assert astuple(pieces[-1]) == (
        line.subtotal_minor,
        line.discount_minor,
        line.tax_minor,
        line.amount_minor,
    )


@given(line=lines(), cancelled=st.integers(0, 50))
def test_what_was_cancelled_and_what_stands_are_the_line(line: Line, cancelled: int) -> None:
    units = min(cancelled, line.quantity)
    gone = rules.worth_of_cancelling(line, units)
    assert gone + rules.worth_of(line, line.quantity - units) == line.amount_minor


@given(amount=st.integers(0, 10**6), rooms=st.lists(st.integers(0, 10**5), max_size=8))
def test_what_is_shared_out_fits_and_is_not_lost(amount: int, rooms: list[int]) -> None:
    shares = rules.shared_out(amount, rooms)
    assert all(share <= room for share, room in zip(shares, rooms, strict=True))
    assert sum(shares) == min(amount, sum(rooms))


@pytest.mark.parametrize(
    ("fulfilled", "cancelled", "status"),
    [
        (0, 0, FulfilmentStatus.UNFULFILLED),
        (0, 4, FulfilmentStatus.UNFULFILLED),
        (1, 0, FulfilmentStatus.PARTIALLY_FULFILLED),
        (1, 3, FulfilmentStatus.FULFILLED),
        (4, 0, FulfilmentStatus.FULFILLED),
    ],
)
def test_how_far_an_order_is_sent(fulfilled: int, cancelled: int, status: FulfilmentStatus) -> None:
    line = Line(quantity=4, subtotal_minor=4, fulfilled=fulfilled, cancelled=cancelled)
    assert rules.fulfilment_status([line]) is status


@pytest.mark.parametrize(
    ("returned", "is_open", "status"),
    [
        (0, False, ReturnStatus.NONE),
        (0, True, ReturnStatus.REQUESTED),
        (1, True, ReturnStatus.PARTIALLY_RETURNED),
        (4, False, ReturnStatus.RETURNED),
    ],
)
def test_how_far_an_order_came_back(returned: int, is_open: bool, status: ReturnStatus) -> None:
    line = Line(quantity=4, subtotal_minor=4, fulfilled=4, returned=returned)
    assert rules.return_status([line], has_open_return=is_open) is status


@pytest.mark.parametrize(
    ("kind", "state", "internal"),
    [
        ("staff", "AWAITING_APPROVAL", True),
        ("staff", "REFUSED", True),
        ("staff", "REQUESTED", False),
        ("staff", "APPLIED", False),
        ("staff", "DONE", False),
        ("customer", "REFUSED", False),
    ],
)
def test_customers_do_not_see_what_is_between_members_of_staff(
    kind: str, state: str, internal: bool
) -> None:
    step = OrderStep(actor_kind=kind, state=state)

    assert rules.is_internal(step) is internal
