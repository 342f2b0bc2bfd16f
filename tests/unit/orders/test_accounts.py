"""An order's money through whatever is done with it: what is kept in the end is what it charges."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from domains.orders.rules.accounts import SHIPPING, Account, Part
from domains.orders.rules.steps import Money


@dataclass
class Good:
    """A line of so many units at one price."""

    price: int
    units: int
    sent: int = 0
    given: int = 0
    given_units: int = 0


@dataclass
class Shop:
    """One order, which is done to what the rules allow."""

    goods: dict[str, Good]
    shipping: int
    shipping_given: int = 0
    authorised: int = 0
    captured: int = 0
    refunded: int = 0
    for_less: int = 0

    @property
    def total(self) -> int:
        return sum(good.price * good.units for good in self.goods.values()) + self.shipping

    @property
    def kept(self) -> int:
        return self.captured - self.refunded

    @property
    def charged(self) -> int:
        return self.total - (self.refunded - self.for_less)

    def account(self, sends: dict[str, int] | None = None) -> Account:
        sent = {key: good.sent + (sends or {}).get(key, 0) for key, good in self.goods.items()}
        parts = {
            key: Part(worth=good.price * good.units, sent=good.price * sent[key], given=good.given)
            for key, good in self.goods.items()
        }
        parts[SHIPPING] = Part(
            worth=self.shipping,
            sent=self.shipping if any(sent.values()) else 0,
            given=self.shipping_given,
        )
        lowered = self.refunded - self.for_less
        return Account(
            money=Money(
                authorised=self.authorised,
                captured=self.captured,
                refunded=self.refunded,
                given_back_for_less=self.for_less,
            ),
            parts=parts,
            at_large=lowered - sum(part.given for part in parts.values()),
        )

    def capture(self, amount: int) -> None:
        self.captured += min(amount, max(self.total - (self.captured - self.for_less), 0))

    def refund_units(self, key: str, units: int) -> None:
        good = self.goods[key]
        minor = good.price * min(units, good.units - good.given_units)
        minor = min(minor, good.price * good.units - good.given)
        if not 0 < minor <= self.kept or self.account().refunds({key: minor}).is_sent_unpaid:
            return
        good.given += minor
        good.given_units += minor // good.price
        self.refunded += minor

    def refund_amount(self, amount: int) -> None:
        if amount <= self.kept:
            self.for_less += min(amount, max(self.captured - self.for_less - self.total, 0))
            self.refunded += amount

    def change(self, units: dict[str, int], *, is_edit: bool) -> None:
        """Fewer of some goods, or, while nothing was sent, more of them too."""
        if is_edit and any(good.sent for good in self.goods.values()):
            return
        for key, good in self.goods.items():
            wanted = units.get(key, good.units)
            units[key] = max(wanted if is_edit else min(wanted, good.units), good.sent)
        worth = {key: good.price * units[key] for key, good in self.goods.items()}
        worth[SHIPPING] = self.shipping
        total = sum(worth.values())
        account = self.account()
        less = account.cheaper(worth, total)
        assert 0 <= less.gives <= self.kept
        if not account.secures(total, less):
            if self.captured:
                return
            self.authorised = total
        for key, good in self.goods.items():
            gone = good.units - units[key]
            good.units = units[key]
            good.given -= less.parts.get(key, 0)
            if gone > 0:
                good.given_units -= min(gone, max(good.given_units - good.sent, 0))
        self.shipping_given -= less.parts.get(SHIPPING, 0)
        self.refunded += less.gives
        self.for_less += less.gives + less.set_off

    def send(self, units: dict[str, int]) -> None:
        sends = {
            key: min(count, self.goods[key].units - self.goods[key].sent)
            for key, count in units.items()
        }
        self.captured += max(self.account(sends).due - (self.captured - self.for_less), 0)
        for key, count in sends.items():
            self.goods[key].sent += count

    def check(self) -> None:
        assert 0 <= self.refunded <= self.captured <= self.authorised
        assert self.for_less <= self.refunded
        assert all(0 <= good.given <= good.price * good.units for good in self.goods.values())
        account = self.account()
        assert not account.is_sent_unpaid
        # What is sent is paid, or was given away on purpose.
        given_for_sent = sum(min(part.given, part.sent) for part in account.parts.values())
        given_for_sent += min(
            account.at_large, sum(part.sent_and_kept for part in account.parts.values())
        )
        assert self.kept >= account.sent - given_for_sent
        assert self.kept <= max(self.charged, 0)


KEYS = ("a", "b", "c")
counts = st.dictionaries(st.sampled_from(KEYS), st.integers(0, 8), max_size=3)
commands = st.one_of(
    st.tuples(st.just("capture"), st.integers(1, 4000)),
    st.tuples(st.just("refund"), st.tuples(st.sampled_from(KEYS), st.integers(1, 4))),
    st.tuples(st.just("amount"), st.integers(1, 2000)),
    st.tuples(st.just("edit"), counts),
    st.tuples(st.just("cancel"), counts),
    st.tuples(st.just("send"), counts),
)


@settings(max_examples=400)
@given(
    prices=st.lists(st.integers(1, 500), min_size=3, max_size=3),
    units=st.lists(st.integers(1, 7), min_size=3, max_size=3),
    shipping=st.integers(0, 500),
    done=st.lists(commands, max_size=12),
)
def test_what_is_kept_is_what_is_charged_whatever_is_done(
    prices: list[int], units: list[int], shipping: int, done: list[tuple[str, object]]
) -> None:
    shop = Shop(
        {key: Good(*pair) for key, *pair in zip(KEYS, prices, units, strict=True)}, shipping
    )
    shop.authorised = shop.total
    for name, what in done:
        match name:
            case "capture":
                shop.capture(what)  # type: ignore[arg-type]
            case "refund":
                shop.refund_units(*what)  # type: ignore[misc]
            case "amount":
                shop.refund_amount(what)  # type: ignore[arg-type]
            case "send":
                shop.send(dict(what))  # type: ignore[call-overload]
            case _:
                shop.change(dict(what), is_edit=name == "edit")  # type: ignore[call-overload]
        shop.check()
    shop.send({key: good.units for key, good in shop.goods.items()})
    shop.check()
    if any(good.sent for good in shop.goods.values()):
        assert shop.kept == shop.charged


def paid(**parts: Part) -> Account:
    total = sum(part.worth for part in parts.values())
    given = sum(part.given for part in parts.values())
    money = Money(authorised=total, captured=total, refunded=given)
    return Account(money=money, parts=parts)


def test_what_was_refunded_of_a_line_does_not_go_back_again_with_it() -> None:
    account = paid(a=Part(worth=2065), b=Part(worth=1125, given=1125))
    less = account.cheaper({"a": 2065}, 2065)
    assert (less.gives, less.parts, less.at_large) == (0, {"b": 1125}, 0)


def test_a_refund_of_no_line_counts_for_what_goes_unless_something_was_sent_for_it() -> None:
    money = Money(authorised=3190, captured=3190, refunded=1125)
    unsent = Account(
        money=money, parts={"a": Part(worth=2065), "b": Part(worth=1125)}, at_large=1125
    )
    assert (unsent.cheaper({"a": 2065}, 2065).gives, unsent.cheaper({"a": 1000}, 1000).gives) == (
        0,
        1065,
    )
    sent = Account(
        money=money, parts={"a": Part(worth=2065, sent=2065), "b": Part(worth=1125)}, at_large=1125
    )
    assert sent.cheaper({"a": 2065}, 2065).gives == 1125


def test_what_went_back_cannot_pay_for_more_goods_again() -> None:
    money = Money(authorised=2478, captured=2478, refunded=2124, given_back_for_less=2124)
    account = Account(money=money, parts={"a": Part(worth=354)})
    assert account.secures(354, account.cheaper({"a": 354}, 354))
    assert not account.secures(2478, account.cheaper({"a": 2478}, 2478))


def test_what_was_not_paid_is_not_refunded() -> None:
    money = Money(authorised=1450, captured=1000)
    account = Account(money=money, parts={"a": Part(worth=1000, sent=1000), "b": Part(worth=450)})
    assert account.refunds({"b": 450}).is_sent_unpaid
    assert not account.refunds({"a": 1000}).is_sent_unpaid
