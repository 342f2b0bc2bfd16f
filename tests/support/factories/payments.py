"""Payments in the states tests need, made through the services."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from domains.payments import services
from domains.payments.models import Payment
from infrastructure.database.contexts import connection_of
from infrastructure.ids import new_id
from infrastructure.money import Money


def authorised_payment(now: datetime, **choices: Any) -> Payment:
    """Authorised by the gateway of the settings, unless the token chosen is declined."""
    return services.authorise(**request(now, **choices))


def captured_payment(now: datetime, **choices: Any) -> Payment:
    payment = authorised_payment(now, **choices)
    return services.capture(payment_id=payment.id, now=now)[0]


def voided_payment(now: datetime, **choices: Any) -> Payment:
    return services.void(payment_id=authorised_payment(now, **choices).id, now=now)


def without_guards(sql: str, *params: Any) -> None:
    """Damage the books as nobody can whom the database watches."""
    tables = ("payments_journalentry", "payments_payment")
    with connection_of("payments").cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in tables:
            cursor.execute(f"ALTER TABLE payments.{table} DISABLE TRIGGER USER")
        cursor.execute(sql, params)
        for table in tables:
            cursor.execute(f"ALTER TABLE payments.{table} ENABLE TRIGGER USER")


def request(
    now: datetime,
    *,
    payment_id: UUID | None = None,
    amount_minor: int = 1_999,
    token: str = "tok_visa",
    method: str = "card",
    customer_id: UUID | None = None,
) -> dict[str, Any]:
    """The arguments of `authorise`."""
    payment_id = payment_id or new_id()
    return {
        "payment_id": payment_id,
        "reference": f"K-{payment_id.hex[-8:]}",
        "amount": Money(amount_minor, "GBP"),
        "method": method,
        "token": token,
        "customer_id": customer_id,
        "now": now,
    }
