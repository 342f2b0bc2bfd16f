"""Lists of prices of their own: for a channel, a group of customers, or a time."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from django.db import models

from domains.products.errors import InvalidValidity
from domains.products.events import PriceListChanged
from domains.products.models.channels import Channel
from domains.products.rules.price_lists import ListTerms
from infrastructure.aggregates import AggregateQuerySet, AggregateRoot
from infrastructure.ids import new_id


class PriceList(AggregateRoot):
    """Prices of their own for a channel, a group of customers, or a time.

    channel, customer_group: for whom it holds; None and empty: for everybody.
    priority: of the lists that hold for somebody the highest is asked first. What it has no price
    for costs what the next one says, and at last what the base says.
    code, currency: never change, since prices are kept in its currency.
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
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    objects = AggregateQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["code"], name="products_pricelist_code_unique"),
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
        for name, value in values.items():
            setattr(self, name, value)
        refuse_empty_window(self.valid_from, self.valid_until)
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
        )


def refuse_empty_window(begin: datetime | None, end: datetime | None) -> None:
    if begin is not None and end is not None and end <= begin:
        raise InvalidValidity("It would end before it begins.")
