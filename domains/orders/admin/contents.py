"""What the page of one order shows."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from domains.orders.admin import doings, showing
from domains.orders.admin.documents import invoice_address
from domains.orders.models import Document, Order
from domains.orders.queries.orders import confirmation_awaited
from domains.orders.rules.invoices import address_lines, invoice_lines
from domains.orders.rules.steps import amounts_standing
from domains.payments import public as payments
from domains.products import public as products
from domains.users import public as users
from infrastructure.money import Money


def contents_of(order: Order, *, user: Any, now: datetime) -> dict[str, Any]:
    """user: who looks, and is offered what they may do."""
    payment = payments.payment_view(order.payment_id)
    confirmation = confirmation_awaited(order)
    held = products.hold_state([order.id]).get(order.id)
    names = users.display_names([order.customer_id]) if order.customer_id else {}
    sent: dict[UUID, list[Any]] = {}
    by_line = {line.id: line for line in order.lines}
    for one in order.fulfilment_lines:
        sent.setdefault(one.fulfilment_id, []).append((by_line.get(one.line_id), one.quantity))
    statuses = {
        "Order": order.status,
        "Payment": payment.status if payment else order.payment_status,
        "Goods": order.fulfilment_status,
        "Returns": order.return_status,
    }
    return {
        "order": order,
        "badges": [
            (what, showing.badge(status))
            for what, status in statuses.items()
            if status and status != "NONE"
        ],
        "reason": showing.words(order.reason),
        "method": showing.words(order.payment_method),
        "source": showing.words(order.source),
        "decline": showing.words(payment.decline_code) if payment else "",
        "customer_until": _customer_until(order, payment),
        "confirmation": confirmation,
        "lines": [_line_shown(order, line) for line in order.lines],
        "totals": _totals(order, payment),
        "discounts": [
            (one["name"], one.get("coupon") or "", Money(one["amount_minor"], order.currency))
            for one in order.discounts
        ],
        "customer_name": names.get(order.customer_id, "") if order.customer_id else "",
        "shipping_to": address_lines(order.shipping_address),
        "phone": order.shipping_address.get("phone", ""),
        "billing_to": invoiced_to(order),
        "payment": payment,
        "operations": _operations(payment),
        "held": showing.badge(held) if held else "",
        "step": order.open_step,
        "step_gives": Money(order.open_step.gives_minor, order.currency)
        if order.open_step
        else None,
        "fulfilments": [(one, sent.get(one.id, [])) for one in order.fulfilments],
        "returns": [
            (
                one,
                showing.badge(one.state),
                showing.words(one.reason),
                [(by_line.get(back.line_id), back) for back in order.lines_of_return(one.id)],
                doings.of_return(user, order, one),
            )
            for one in order.returns
        ],
        "documents": [
            (one, Money(one.gross_minor, one.currency), invoice_address(one))
            for one in Document.objects.filter(order_id=order.id).order_by("issued_at", "id")
        ],
        "timeline": showing.timeline(order),
        "doings": doings.offered(
            user, order, payment, waits_for_bank=confirmation is not None, now=now
        ),
        "may_note": doings.may(user, doings.Note),
        "may_approve": doings.may(user, doings.Approve),
        "step_told": showing.words(order.open_step.kind) if order.open_step else "",
        "is_own_step": order.open_step is not None and order.open_step.actor_id == user.pk,
    }


def invoiced_to(order: Order) -> list[str]:
    """As it is written on the invoice; nothing where the goods go there, too."""
    return invoice_lines(order.billing_address or {})


def _line_shown(order: Order, line: Any) -> dict[str, Any]:
    """Quantity and amounts are of what stands, so the lines add up to the totals below them."""
    standing = amounts_standing(line)
    parts = [
        (line.fulfilled, "sent"),
        (line.cancelled, "cancelled"),
        (line.returned, "returned"),
        (line.open, "open"),
    ]
    return {
        "line": line,
        "unit": Money(line.unit_price_minor, order.currency),
        "amount": Money(standing.amount_minor, order.currency),
        "discount": Money(standing.discount_minor, order.currency)
        if standing.discount_minor
        else None,
        "tax": f"{Money(standing.tax_minor, order.currency).amount_text} ({line.tax_rate} %)",
        "parts": ", ".join(f"{count:,} {name}" for count, name in parts if count),
        "refunded": Money(line.refunded_minor, order.currency) if line.refunded_minor else None,
    }


def _totals(order: Order, payment: payments.PaymentView | None) -> list[tuple[str, str, bool]]:
    """Name, amount, and whether it stands out. The rows above the total add up to it: tax that the
    prices contain stands below it, and where they do not, shipping is without it as well."""

    def row(name: str, minor: int, strong: bool = False) -> tuple[str, str, bool]:
        return name, str(Money(minor, order.currency)), strong

    rows = [row("Subtotal", order.subtotal_minor)]
    if order.discount_minor:
        rows.append(row("Discounts", -order.discount_minor))
    if order.shipping_minor or order.shipping_name:
        contained = 0 if order.prices_include_tax else order.shipping_tax_minor
        rows.append(row(order.shipping_name or "Shipping", order.shipping_minor - contained))
    if not order.prices_include_tax:
        rows.append(row("Tax", order.tax_minor))
    rows.append(row("Total", order.total_minor, strong=True))
    if order.prices_include_tax:
        rows.append(row("Tax in it", order.tax_minor))
    if payment is not None:
        rows.append(row("Captured", payment.captured.amount_minor))
        if payment.refunded.amount_minor:
            rows.append(row("Given back", -payment.refunded.amount_minor))
            kept = payment.captured.amount_minor - payment.refunded.amount_minor
            rows.append(row("Kept", kept, strong=True))
    return rows


def _customer_until(order: Order, payment: payments.PaymentView | None) -> datetime | None:
    """Until when an undecided order waits for its customer to confirm the payment, or to pay."""
    if order.status != "PENDING":
        return None
    if order.pay_until is not None or payment is None:
        return order.pay_until
    return payment.action_deadline or payment.due_at


def _operations(payment: payments.PaymentView | None) -> list[tuple[Any, str, str, str]]:
    if payment is None:
        return []
    return [
        (one, showing.words(one.kind), showing.badge(one.state), showing.words(one.decline_code))
        for one in sorted(payment.operations, key=lambda one: one.sent_at or payment.created_at)
    ]
