"""The books of the other contexts, as their public doors tell them, in the words of the audit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from domains.orders import public as orders
from domains.payments import public as payments
from domains.pricing import public as pricing
from domains.products import public as products
from domains.reporting.errors import UnknownStatus
from domains.reporting.rules import books, goods, guarantees, uses
from domains.reporting.rules.findings import Check, Finding
from domains.reporting.rules.settling import settling_finding

Status = TypeVar("Status", bound=str)
Meaning = TypeVar("Meaning")

# Every status that there is: what a new one means has to be decided here, not guessed.
STAGES = {
    "PENDING": books.Stage.UNDECIDED,
    "CONFIRMED": books.Stage.CONFIRMED,
    "COMPLETED": books.Stage.CONFIRMED,
    "REJECTED": books.Stage.ENDED,
    "CANCELLED": books.Stage.ENDED,
}
MONEY = {
    payments.PaymentStatus.PENDING: books.Money.WAITING,
    payments.PaymentStatus.ACTION_REQUIRED: books.Money.WAITING,
    payments.PaymentStatus.UNKNOWN: books.Money.WAITING,
    payments.PaymentStatus.AUTHORISED: books.Money.SECURED,
    payments.PaymentStatus.PARTIALLY_CAPTURED: books.Money.SECURED,
    payments.PaymentStatus.CAPTURED: books.Money.SECURED,
    # Money that was given back had been secured: the refund was somebody's decision.
    payments.PaymentStatus.PARTIALLY_REFUNDED: books.Money.SECURED,
    payments.PaymentStatus.REFUNDED: books.Money.GIVEN_BACK,
    payments.PaymentStatus.DECLINED: books.Money.RELEASED,
    payments.PaymentStatus.VOIDED: books.Money.RELEASED,
}
GUARANTEES = {
    payments.Guarantee.AUTHORISED: books.Guarantee.AUTHORISED,
    payments.Guarantee.PREPAID: books.Guarantee.PREPAID,
    payments.Guarantee.ON_ACCOUNT: books.Guarantee.ON_ACCOUNT,
}


def compare_books(*, now: datetime, due: datetime) -> list[Check]:
    """Stock, holds, payments, settling, journal, coupons. What is younger than `due` is in flight.

    Each context's rows are streams of their own moments; what moves between them has to be
    compared again before it is called a difference. Raises UnknownStatus.
    """
    stock = _compare_stock()
    journal = Check(name="journal", about="payments: counters = journal = captures and refunds")
    holds = Check(name="holds", about="orders: lines = what is held for them")
    paid = Check(name="payments", about="orders: total = guarantee of the payment method")
    sent = Check(name="sent", about="orders: sent and put back = moved in the ledger")
    coupons = Check(name="coupons", about="coupons, limited promotions: counted = kept = of orders")
    settling = Check(name="settling", about="orders: decided and finished in their time")
    earlier: list[books.Payment] = []
    for placement in books.joined(
        settling.count(_orders()),
        holds.count(_holds()),
        paid.count(journal.count(_agreeing(_payments(earlier), journal))),
        coupons.count(_redemptions()),
        sent.count(_moved()),
    ):
        for check, find in (
            (holds, goods.hold_finding),
            (sent, goods.moved_finding),
            (paid, guarantees.payment_finding),
            (settling, settling_finding),
            (coupons, uses.redemption_finding),
        ):
            if (finding := find(placement, due=due)) is not None:
                check.take(finding)
    paid.take_all(_replaced_and_not_let_go(earlier))
    settling.take_all(_stray_steps())
    journal.take_all(_journal_differences())
    totals = _compare_totals()
    carts = _compare_cart_holds(due=now - goods.EXPIRY_ALLOWED)
    coupons.take_all(uses.use_findings(coupons.count(_uses())))
    return [stock, holds, sent, totals, carts, paid, settling, journal, coupons]


def _compare_stock() -> Check:
    stock = Check(name="stock", about="SKUs: counters = ledger = warehouses = reservations")
    stock.take_all(goods.stock_findings(stock.count(_stock())))
    stock.take_all(
        Finding(
            subject=f"change {change_id} of order {order_id}",
            detail=f"moved goods, though barred at {barred_at:%Y-%m-%d %H:%M:%S} UTC: {refusal}",
        )
        for order_id, change_id, refusal, barred_at in products.moved_though_barred()
    )
    return stock


def _compare_totals() -> Check:
    totals = Check(name="totals", about="orders: what stands of the lines, and shipping = totals")
    for row in totals.count(orders.order_sums()):
        subject = f"order {row.number} {row.order_id}"
        if row.said != row.of_lines:
            detail = (
                f"says subtotal, discount, tax and paid of its goods {_listed(row.said)}"
                f" (minor units), its lines {_listed(row.of_lines)}"
            )
            totals.take(Finding(subject=subject, detail=detail))
        if row.odd_lines:
            odd = ", ".join(row.odd_lines)
            detail = f"lines that are not their price times their quantity: {odd}"
            totals.take(Finding(subject=subject, detail=detail))
    totals.take_all(
        Finding(
            subject=f"order {part.number} {part.order_id}",
            detail=f"{part.sku}: {part.what} {part.said}, by what it was counted from"
            f" {part.counted}",
        )
        for part in orders.odd_parts()
    )
    return totals


def _compare_cart_holds(*, due: datetime) -> Check:
    """due: until when those that are over by now had to be freed."""
    carts = Check(name="cart holds", about="carts: holds freed when their time is over")
    carts.take_all(
        goods.overdue_finding(row)
        for row in carts.count(
            goods.OverdueHold(cart_id=cart_id, expired_at=expired_at)
            for cart_id, expired_at in products.overdue_cart_holds(due=due)
        )
    )
    return carts


def _replaced_and_not_let_go(earlier: Iterable[books.Payment]) -> Iterator[Finding]:
    for payment in earlier:
        if payment.money not in (books.Money.RELEASED, books.Money.GIVEN_BACK):
            yield Finding(
                subject=f"payment {payment.payment_id}",
                detail=f"is {payment.status}, though another one took its place",
            )


def _stray_steps() -> Iterator[Finding]:
    for step_id, order_id in orders.stray_steps():
        yield Finding(
            subject=f"step {step_id} of order {order_id}",
            detail="is unfinished, and nobody carries it out",
        )


def _journal_differences() -> Iterator[Finding]:
    for row in payments.journal_differences():
        yield Finding(
            subject=f"payment {row.payment_id}",
            detail=f"{row.what} in minor units of {row.currency}: counter {row.counter_minor},"
            f" journal {row.journal_minor}, operations {row.operations_minor}",
        )


def _uses() -> Iterator[uses.Uses]:
    for row in pricing.use_audit():
        yield uses.Uses(subject=row.told, counted=row.used, kept=row.kept)


def _listed(amounts: tuple[int, ...]) -> str:
    return ", ".join(str(amount) for amount in amounts)


def _stock() -> Iterator[goods.Stock]:
    for row in products.stock_audit():
        yield goods.Stock(
            sku=row.sku,
            on_hand=row.on_hand,
            held=row.held,
            ledger_on_hand=row.ledger_on_hand,
            ledger_held=row.ledger_held,
            levels_on_hand=row.levels_on_hand,
            reserved=row.reserved,
            oversold_holds=row.oversold_holds,
        )


def _orders() -> Iterator[books.Order]:
    for row in orders.orders_audit():
        yield books.Order(
            order_id=row.order_id,
            number=row.number,
            stage=_meaning(STAGES, row.status, f"order {row.number}"),
            total_minor=row.total.amount_minor,
            currency=row.total.currency,
            method=row.payment_method,
            guarantee=_guarantee_of(row.payment_method),
            lines=row.lines,
            placed_at=row.placed_at,
            unsettled_since=row.unsettled_since,
            refunded_minor=row.refunded_minor,
            for_less_minor=row.for_less_minor,
            sent_minor=row.sent_minor,
            is_completed=row.status == "COMPLETED",
            is_cheaper=row.is_cheaper,
            uses=row.uses,
            sent=row.sent,
            put_back=row.put_back,
            waits_until=row.pay_until,
        )


def _holds() -> Iterator[books.Hold]:
    for row in products.active_reservations():
        yield books.Hold(order_id=row.order_id, lines=row.lines, created_at=row.created_at)


def _moved() -> Iterator[books.Moved]:
    for row in products.moved_for_orders():
        yield books.Moved(order_id=row.order_id, sent=row.sent, put_back=row.put_back)


def _agreeing(payments_read: Iterator[books.Payment], journal: Check) -> Iterator[books.Payment]:
    """The same payments. Those whose status is not what their counters say are differences."""
    for payment in payments_read:
        if detail := guarantees.status_against_counters(payment):
            journal.take(Finding(subject=f"payment {payment.payment_id}", detail=detail))
        yield payment


def _redemptions() -> Iterator[books.Redemption]:
    for row in pricing.active_redemptions():
        yield books.Redemption(order_id=row.order_id, redeemed_at=row.redeemed_at, uses=row.uses)


def _payments(earlier: list[books.Payment]) -> Iterator[books.Payment]:
    """Payments in the order of the ids of their orders, which those have that were the first.

    earlier: to it are added those whose place another one took. There are few of them, and of those
    that took it, so they are kept in memory; payments are read twice where there are any.
    """
    order_of = orders.replaced_payments()
    later: dict[UUID, books.Payment] = {}
    if order_of:
        for payment in _read_payments():
            if (order_id := order_of.get(payment.payment_id)) is not None:
                later[order_id] = replace(payment, payment_id=order_id)
    for payment in _read_payments():
        if payment.payment_id in order_of:
            continue
        if payment.payment_id in later:
            earlier.append(payment)
            yield later[payment.payment_id]
        else:
            yield payment


def _read_payments() -> Iterator[books.Payment]:
    for row in payments.payment_audit():
        yield books.Payment(
            payment_id=row.payment_id,
            status=row.status,
            money=_meaning(MONEY, row.status, f"payment {row.payment_id}"),
            method=row.method,
            gateway="" if row.gateway == payments.NO_GATEWAY else row.gateway,
            needs_attention=row.needs_attention,
            amount_minor=row.amount_minor,
            secured_minor=row.authorised_minor,
            currency=row.currency,
            waits_until=row.waits_until,
            captured_minor=row.captured_minor,
            refunded_minor=row.refunded_minor,
            released_minor=row.released_minor,
            created_at=row.created_at,
        )


def _meaning(meanings: Mapping[Status, Meaning], status: Status, subject: str) -> Meaning:
    try:
        return meanings[status]
    except KeyError:
        raise UnknownStatus(f"{subject} is {status}, which the audit does not know.") from None


def _guarantee_of(method: str) -> books.Guarantee | None:
    """None for a method that was withdrawn: what its orders rely on has to be looked at."""
    try:
        guarantee = payments.guarantee_of(method)
    except payments.UnknownPaymentMethod:
        return None
    return GUARANTEES[guarantee]
