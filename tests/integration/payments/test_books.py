"""What the database itself refuses in the books."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.db import IntegrityError

from domains.payments.models import JournalEntry
from infrastructure.database.contexts import connection_of
from tests.support.factories import payments


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    ["UPDATE payments_journalentry SET amount_minor = 1", "DELETE FROM payments_journalentry"],
)
def test_the_journal_is_only_added_to(now: datetime, change: str) -> None:
    payments.captured_payment(now)

    with (
        pytest.raises(IntegrityError, match="append-only"),
        connection_of("payments").cursor() as cursor,
    ):
        cursor.execute(change)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE payments_payment SET captured_minor = 1998",
        "UPDATE payments_payment SET refunded_minor = 1",
    ],
)
def test_no_commit_leaves_a_counter_beside_the_journal(now: datetime, change: str) -> None:
    payments.captured_payment(now)

    with connection_of("payments").cursor() as cursor:
        cursor.execute(change)
        with pytest.raises(IntegrityError, match="do not balance"):
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.mark.django_db
def test_no_commit_leaves_a_booking_beside_the_counters(now: datetime) -> None:
    payment = payments.captured_payment(now)
    (entry,) = JournalEntry.objects.all()

    with connection_of("payments").cursor() as cursor:
        cursor.execute(
            "INSERT INTO payments_journalentry (id, payment_id, operation_id, debit_account,"
            " credit_account, amount_minor, currency, booked_at) SELECT gen_random_uuid(),"
            " payment_id, gen_random_uuid(), debit_account, credit_account, 1, currency,"
            " booked_at FROM payments_journalentry WHERE id = %s",
            [entry.id],
        )
        with pytest.raises(IntegrityError, match=f"payment {payment.id} do not balance"):
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
