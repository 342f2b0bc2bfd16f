"""Lists of prices of their own: for a channel, a group of customers, or a time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

from django.db import models

from domains.products.errors import InvalidValidity
from domains.products.events import PriceListChanged
from domains.products.models.channels import Channel
from domains.products.rules.asked_prices import TermsOverTime, noted, over_time
from domains.products.rules.price_lists import ListTerms
from infrastructure.aggregates import AggregateQuerySet, AggregateRoot
from infrastructure.database.contexts import connection_of
from infrastructure.ids import new_id

# For how long it is known what the terms of a list were, and how many at most: every reader of a
# reduced price looks through them. Whoever asks what was asked before that is told by the oldest
# that are known.
TERMS_KEPT = timedelta(days=400)
MOST_TERMS = 200


class PriceListQuerySet(AggregateQuerySet):
    def turn_due(self, *, now: datetime) -> list[UUID]:
        """Note of which lists for everybody the window has begun or ended; the ids of these. Their
        terms stay, and so does the version. What a command has in hand is left for the next time.
        """
        params = {"now": now}
        return [list_id for (list_id,) in self.command(_TURN_DUE, params)]

    def held_for_everybody(self, ids: Iterable[UUID]) -> set[UUID]:
        """Those of these lists that hold for everybody; none of these lists is changed until the
        transaction is over. Locked behind prices, and whoever changes a list locks nothing else."""
        rows = connection_of("products").fetch(_SHARE, [sorted(ids)])
        return {list_id for list_id, for_everybody in rows if for_everybody}


class PriceList(AggregateRoot):
    """Prices of their own for a channel, a group of customers, or a time.

    channel, customer_group: for whom it holds; None and empty: for everybody.
    priority: of the lists that hold for somebody the highest is asked first. What it has no price
    for costs what the next one says, and at last what the base says.
    code, currency: never change, since prices are kept in its currency.
    for_everybody: whether it held for everybody when that was looked at last; the listing goes by
    it. turns_at: when it has to be looked at again.
    former_terms: what its terms were before and until when, as `asked_prices.noted` writes it.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    code = models.CharField(max_length=40)
    name = models.CharField(max_length=200)
    currency = models.CharField(max_length=3)
    channel = models.ForeignKey(Channel, null=True, on_delete=models.PROTECT, related_name="+")
    customer_group = models.CharField(max_length=40, blank=True)
    priority = models.IntegerField(default=0)
    valid_from = models.DateTimeField(null=True)
    valid_until = models.DateTimeField(null=True)
    active = models.BooleanField(default=True)
    for_everybody = models.BooleanField()
    turns_at = models.DateTimeField(null=True)
    former_terms = models.JSONField(default=list)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    objects = PriceListQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["code"], name="products_pricelist_code_unique"),
        ]
        indexes = [
            models.Index(
                fields=["turns_at"],
                condition=models.Q(turns_at__isnull=False),
                name="products_pricelist_due",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    # Factories

    @classmethod
    def create(
        cls,
        *,
        code: str,
        name: str,
        currency: str,
        channel: str | None = None,
        customer_group: str = "",
        priority: int = 0,
        valid_from: datetime | None = None,
        valid_until: datetime | None = None,
        active: bool = True,
        now: datetime,
    ) -> Self:
        """Raises InvalidValidity."""
        price_list = cls(code=code, currency=currency, created_at=now)
        price_list._become(
            name=name,
            channel_id=channel,
            customer_group=customer_group,
            priority=priority,
            valid_from=valid_from,
            valid_until=valid_until,
            active=active,
            now=now,
        )
        return price_list

    # Commands

    def edit(self, *, now: datetime, **changes: Any) -> None:
        """Change what is given: name, channel, customer_group, priority, valid_from, valid_until,
        active. Raises InvalidValidity."""
        if "channel" in changes:
            changes["channel_id"] = changes.pop("channel")
        if any(getattr(self, name) != value for name, value in changes.items()):
            self._become(now=now, **changes)

    def _become(self, *, now: datetime, **values: Any) -> None:
        before = None if self._state.adding else self.terms
        for name, value in values.items():
            setattr(self, name, value)
        refuse_empty_window(self.valid_from, self.valid_until)
        if before is not None and before != self.terms:
            oldest = (now - TERMS_KEPT).isoformat()
            kept = [terms for terms in self.former_terms if terms[0] > oldest]
            self.former_terms = [*kept, noted(before, now)][-MOST_TERMS:]
        self.for_everybody = self.terms.holds(channel=None, customer_group=None, now=now)
        self.turns_at = self.terms.turns_for_everybody_at(now)
        self.updated_at = now
        self.record(
            PriceListChanged(
                price_list_id=self.id,
                price_list=self.code,
                currency=self.currency,
                channel=self.channel_id,
                customer_group=self.customer_group or None,
                priority=self.priority,
                valid_from=self.valid_from,
                valid_until=self.valid_until,
                active=self.active,
                occurred_at=now,
            )
        )

    # Questions

    @property
    def terms(self) -> ListTerms:
        return ListTerms(
            id=self.id,
            code=self.code,
            currency=self.currency,
            priority=self.priority,
            channel=self.channel_id,
            customer_group=self.customer_group or None,
            valid_from=self.valid_from,
            valid_until=self.valid_until,
            active=self.active,
        )

    @property
    def terms_over_time(self) -> TermsOverTime:
        return over_time(self.former_terms, self.terms)

    @property
    def rank_for_everybody(self) -> int | None:
        """Its priority, None where it does not hold for everybody."""
        return self.priority if self.for_everybody else None


def refuse_empty_window(begin: datetime | None, end: datetime | None) -> None:
    if begin is not None and end is not None and end <= begin:
        raise InvalidValidity("It would end before it begins.")


# As ListTerms say it; only lists for everybody have an instant at which they turn.
_TURN_DUE = """
    UPDATE products_pricelist SET
        for_everybody = (valid_from IS NULL OR valid_from <= %(now)s)
            AND (valid_until IS NULL OR valid_until > %(now)s),
        turns_at = CASE WHEN valid_from > %(now)s THEN valid_from
            WHEN valid_until > %(now)s THEN valid_until END
    WHERE id = ANY(ARRAY(
        SELECT id FROM products_pricelist WHERE turns_at <= %(now)s
        ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
    ))
    RETURNING id
"""
_SHARE = """
    SELECT id, for_everybody FROM products_pricelist WHERE id = ANY(%s::uuid[])
    ORDER BY id FOR SHARE
"""
