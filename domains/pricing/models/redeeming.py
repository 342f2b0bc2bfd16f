"""Using coupons and limited promotions: all that an order uses or nothing, in one statement."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import msgspec
from django.db import IntegrityError, connections, router

from domains.pricing.events import CouponRedeemed, CouponReturned, RedeemedUse
from domains.pricing.rules.quotes import Use
from domains.pricing.rules.redeeming import (
    Redeemed,
    RedemptionOutcome,
    RedemptionState,
    Refused,
    RefusedUse,
    Returned,
)
from infrastructure.aggregates import AggregateQuerySet
from infrastructure.database.contexts import atomic
from infrastructure.database.statement import as_json_rows, insertable_fields
from infrastructure.database.violations import constraint_of
from infrastructure.events.event import Event
from infrastructure.ids import new_id
from infrastructure.outbox.models import OutboxMessage
from infrastructure.outbox.publisher import outbox_rows

# How often a customer's very first two uses of something may meet before the error is shown.
PATIENCE = 5
_FIRST_USE = "pricing_customertally_unique"


class RedemptionQuerySet(AggregateQuerySet):
    def redeem(
        self, order_id: UUID, uses: Sequence[Use], *, customer_key: str | None, now: datetime
    ) -> RedemptionOutcome:
        """Count all of these, or none of them. Repeatable under the order's id.

        The numbers are locked in the order of their ids and compared as they are then, so no limit
        is ever passed, however many come at once.
        """
        fact = CouponRedeemed(
            order_id=order_id,
            uses=tuple(
                RedeemedUse(promotion_id=use.promotion_id, coupon=use.coupon) for use in uses
            ),
            occurred_at=now,
        )
        params = [
            order_id,
            [use.promotion_id for use in uses],
            [use.coupon or "" for use in uses],
            customer_key or "",
            customer_key or "",
            order_id,
            customer_key or "",
            now,
            order_id,
            [new_id() for _ in range(2 * len(uses))],
            customer_key or "",
            customer_key or "",
            self._rows_of(fact, order_id),
        ]
        for patience in range(PATIENCE, -1, -1):
            try:
                with self._undone_alone():
                    [(made, status, verdicts)] = self.command(_redeem_text(), params)
            except IntegrityError as error:
                # This customer's first use of it is being counted elsewhere, by a row that did not
                # exist when this statement began. The next one sees it.
                if not patience or constraint_of(error) != _FIRST_USE:
                    raise
                continue
            if made:
                return Redeemed()
            if status is not None:
                return _outcome_of(status)
            refused = tuple(
                RefusedUse(uses[place - 1], code)
                for place, code in msgspec.json.decode(verdicts or "[]")
            )
            if refused:
                # The same order may have been first, and have taken the very last use.
                found = self.filter(pk=order_id).values_list("status", flat=True).first()
                return Refused(refused) if found is None else _outcome_of(found)
        raise AssertionError("unreachable: the last round answers or raises")

    def give_back(self, order_id: UUID, *, now: datetime) -> bool:
        """Take off what the order counted. Whether this call did.

        Whatever was the case before, the order can never use anything again.
        """
        fact = CouponReturned(order_id=order_id, occurred_at=now)
        while True:
            if self.command(
                _return_text(),
                [order_id, order_id, now, order_id, self._rows_of(fact, order_id)],
            ):
                return True
            # Never used anything: a tombstone refuses what comes late. If it is being redeemed at
            # this moment the tombstone waits for it, is not written, and the uses are there in the
            # next round.
            if self.command(_TOMBSTONE, [order_id, now]):
                return False
            if self.using(self._alias).filter(pk=order_id, status=RedemptionState.RETURNED):
                return False

    @property
    def _alias(self) -> str:
        return router.db_for_write(self.model)

    def _undone_alone(self) -> AbstractContextManager[Any]:
        """Where a transaction is running, an error must not end it."""
        if connections[self._alias].in_atomic_block:
            return atomic("pricing")
        return nullcontext()

    def _rows_of(self, event: Event, order_id: UUID) -> str:
        rows = outbox_rows([event], key=order_id, first_sequence=0)
        return as_json_rows(OutboxMessage, rows, connections[self._alias])


def _outcome_of(status: str) -> RedemptionOutcome:
    return Redeemed() if status == RedemptionState.REDEEMED else Returned()


# asked      what was decided on the order before
# owners     what each use counts for: its coupon, and its promotion where no coupon brought it or
#            it has a limit of its own
# locked     their numbers, as they are when nobody else is counting
# customers  the customer's numbers, where each has a limit. Only after the others are locked: who
#            counts for a customer holds these as well
# tried      would this use be one too many?
# made       the redemption; empty where one use is refused, or the same order won elsewhere
#
# first may meet a row that the statement could not see yet; then the index undoes all of it.
_REDEEM = """
WITH asked AS MATERIALIZED (
    SELECT (SELECT r.status FROM pricing_redemption r WHERE r.id = %s) AS status
), wanted AS MATERIALIZED (
    SELECT w.* FROM unnest(%s::uuid[], %s::text[]) WITH ORDINALITY AS w (promotion_id, code, place)
    WHERE (SELECT status FROM asked) IS NULL
), owners AS MATERIALIZED (
    SELECT w.place, c.id, c.usage_limit, c.usage_limit_per_customer,
        c.archived_at IS NULL AND p.active AND p.archived_at IS NULL AS holds
    FROM wanted w
    JOIN pricing_coupon c ON c.code = w.code AND c.promotion_id = w.promotion_id
    JOIN pricing_promotion p ON p.id = c.promotion_id
    UNION ALL
    SELECT w.place, p.id, p.usage_limit, p.usage_limit_per_customer,
        p.active AND p.archived_at IS NULL
    FROM wanted w
    JOIN pricing_promotion p ON p.id = w.promotion_id
    WHERE w.code = '' OR p.usage_limit IS NOT NULL OR p.usage_limit_per_customer IS NOT NULL
), locked AS MATERIALIZED (
    SELECT t.owner_id, t.used FROM pricing_tally t
    WHERE t.owner_id = ANY(ARRAY(SELECT id FROM owners))
    ORDER BY t.owner_id
    FOR NO KEY UPDATE
), customers AS MATERIALIZED (
    SELECT t.owner_id, t.used FROM pricing_customertally t
    WHERE t.customer_key = %s::text
        AND t.owner_id = ANY(ARRAY(
            SELECT id FROM owners WHERE usage_limit_per_customer IS NOT NULL
        ))
        AND (SELECT count(*) FROM locked) > 0
    ORDER BY t.owner_id
    FOR NO KEY UPDATE
), tried AS MATERIALIZED (
    SELECT wanted.place, wanted.promotion_id, wanted.code, owners.id AS owner_id,
        owners.usage_limit_per_customer IS NOT NULL AS per_customer,
        CASE
            WHEN owners.holds IS NOT TRUE OR locked.owner_id IS NULL
                OR (wanted.code <> '' AND NOT EXISTS (
                    SELECT 1 FROM pricing_coupon c
                    WHERE c.code = wanted.code AND c.promotion_id = wanted.promotion_id
                ))
                OR (owners.usage_limit_per_customer IS NOT NULL AND %s::text = '')
            THEN 'coupon_not_applicable'
            WHEN locked.used >= owners.usage_limit
                OR coalesce(customers.used, 0) >= owners.usage_limit_per_customer
            THEN 'coupon_used_up'
        END AS refused
    FROM wanted
    LEFT JOIN owners ON owners.place = wanted.place
    LEFT JOIN locked ON locked.owner_id = owners.id
    LEFT JOIN customers ON customers.owner_id = owners.id
), made AS (
    INSERT INTO pricing_redemption
        (id, status, customer_key, redeemed_at, returned_at, version, events_recorded)
    SELECT %s::uuid, 'REDEEMED', %s::text, %s::timestamptz, NULL, 1, 1
    WHERE (SELECT status FROM asked) IS NULL
        AND NOT EXISTS (SELECT 1 FROM tried WHERE refused IS NOT NULL)
    ON CONFLICT (id) DO NOTHING
    RETURNING id, events_recorded
), counted AS MATERIALIZED (
    SELECT tried.*, row_number() OVER (ORDER BY tried.place, tried.owner_id) AS number
    FROM tried, made
), uses AS (
    INSERT INTO pricing_redemptionuse
        (id, redemption_id, owner_id, promotion_id, coupon, per_customer)
    SELECT ids.id, %s::uuid, c.owner_id, c.promotion_id, c.code, c.per_customer
    FROM counted c
    JOIN unnest(%s::uuid[]) WITH ORDINALITY AS ids (id, number) ON ids.number = c.number
), everybody AS (
    UPDATE pricing_tally t SET used = t.used + 1 FROM counted WHERE t.owner_id = counted.owner_id
), again AS (
    UPDATE pricing_customertally t SET used = t.used + 1
    FROM counted
    WHERE t.owner_id = counted.owner_id AND t.customer_key = %s::text AND counted.per_customer
), first AS (
    INSERT INTO pricing_customertally (owner_id, customer_key, used)
    SELECT counted.owner_id, %s::text, 1
    FROM counted
    WHERE counted.per_customer
        AND NOT EXISTS (SELECT 1 FROM customers WHERE customers.owner_id = counted.owner_id)
), facts AS (
    {outbox}
    SELECT {columns}, made.events_recorded
    FROM json_populate_recordset(NULL::platform_outboxmessage, %s) r, made
)
SELECT EXISTS (SELECT 1 FROM made), (SELECT status FROM asked), (
    SELECT json_agg(json_build_array(place, refused) ORDER BY place)::text
    FROM (
        SELECT place, max(refused) AS refused FROM tried WHERE refused IS NOT NULL GROUP BY place
    ) told
)
"""

_RETURN = """
WITH uses AS MATERIALIZED (
    SELECT u.owner_id, u.per_customer, r.customer_key
    FROM pricing_redemption r JOIN pricing_redemptionuse u ON u.redemption_id = r.id
    WHERE r.id = %s AND r.status = 'REDEEMED'
), locked AS MATERIALIZED (
    SELECT t.owner_id FROM pricing_tally t
    WHERE t.owner_id = ANY(ARRAY(SELECT owner_id FROM uses))
    ORDER BY t.owner_id
    FOR NO KEY UPDATE
), customers AS MATERIALIZED (
    SELECT t.id FROM pricing_customertally t
    JOIN uses ON uses.owner_id = t.owner_id AND uses.customer_key = t.customer_key
    WHERE uses.per_customer AND (SELECT count(*) FROM locked) > 0
    ORDER BY t.owner_id
    FOR NO KEY UPDATE OF t
), due AS MATERIALIZED (
    SELECT r.id FROM pricing_redemption r
    WHERE r.id = %s AND r.status = 'REDEEMED'
        AND (SELECT count(*) FROM locked) >= 0 AND (SELECT count(*) FROM customers) >= 0
    FOR NO KEY UPDATE
), returned AS (
    UPDATE pricing_redemption r
    SET status = 'RETURNED', returned_at = %s::timestamptz,
        version = r.version + 1, events_recorded = r.events_recorded + 1
    FROM due WHERE r.id = %s AND r.id = due.id
    RETURNING r.id, r.events_recorded
), everybody AS (
    UPDATE pricing_tally t SET used = t.used - 1
    FROM uses, returned WHERE t.owner_id = uses.owner_id
), customer AS (
    UPDATE pricing_customertally t SET used = t.used - 1
    FROM customers, returned WHERE t.id = customers.id
), facts AS (
    {outbox}
    SELECT {columns}, returned.events_recorded
    FROM json_populate_recordset(NULL::platform_outboxmessage, %s) r, returned
)
SELECT id FROM returned
"""

_TOMBSTONE = """
INSERT INTO pricing_redemption
    (id, status, customer_key, redeemed_at, returned_at, version, events_recorded)
VALUES (%s, 'RETURNED', '', NULL, %s::timestamptz, 1, 0)
ON CONFLICT (id) DO NOTHING
RETURNING id
"""


@cache
def _redeem_text() -> str:
    return _with_outbox(_REDEEM)


@cache
def _return_text() -> str:
    return _with_outbox(_RETURN)


def _with_outbox(text: str) -> str:
    """Outbox rows come as JSON; only the sequence is known to nobody but the statement."""
    names = [
        f.column for f in insertable_fields(OutboxMessage) if f.column and f.column != "sequence"
    ]
    return text.format(
        outbox=f"INSERT INTO platform_outboxmessage ({', '.join(names)}, sequence)",
        columns=", ".join(f"r.{name}" for name in names),
    )
