"""What orders have used, and how often each limit has been counted."""

from __future__ import annotations

from django.db import models

from domains.pricing.models.redeeming import RedemptionQuerySet
from domains.pricing.rules.redeeming import RedemptionState
from infrastructure.aggregates import AggregateRoot, OwnedModel

CUSTOMER_KEY_LENGTH = 128


class Tally(models.Model):
    """How often a coupon, or a promotion with a limit, is in use; owner_id: its id.

    A narrow row beside the coupon's own, so that a coupon that everybody has is locked for no
    longer than a number takes to rise, and staff may edit it meanwhile. Written by the statements
    of redemptions only.
    """

    owner_id = models.UUIDField(primary_key=True)
    used = models.IntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(used__gte=0), name="pricing_tally_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.used} of {self.owner_id}"


class CustomerTally(models.Model):
    """The same for one customer, where there is a limit for each."""

    owner_id = models.UUIDField()
    customer_key = models.CharField(max_length=CUSTOMER_KEY_LENGTH)
    used = models.IntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["customer_key", "owner_id"], name="pricing_customertally_unique"
            ),
            models.CheckConstraint(
                condition=models.Q(used__gte=0), name="pricing_customertally_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.used} of {self.owner_id}"


class Redemption(AggregateRoot):
    """What one order used; its id is the order's.

    Used once and given back once. A returned row stays for ever, so that nothing can be used for an
    order that has ended. Its facts are its own and not the coupon's: orders that use one coupon
    then share nothing but a number.
    """

    class Status(models.TextChoices):
        REDEEMED = RedemptionState.REDEEMED.value
        RETURNED = RedemptionState.RETURNED.value

    id = models.UUIDField(primary_key=True)
    status = models.CharField(max_length=8, choices=Status)
    customer_key = models.CharField(max_length=CUSTOMER_KEY_LENGTH, blank=True)
    redeemed_at = models.DateTimeField(null=True)
    returned_at = models.DateTimeField(null=True)

    objects = RedemptionQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.status} by order {self.id}"


class RedemptionUse(OwnedModel):
    """A tally that the redemption counts in. coupon: its code; empty for a promotion's own.

    per_customer: whether it counts in the customer's tally too, as it had such a limit then.
    """

    redemption = models.ForeignKey(
        Redemption, on_delete=models.PROTECT, related_name="use_rows", db_index=False
    )
    owner_id = models.UUIDField()
    promotion_id = models.UUIDField()
    coupon = models.CharField(max_length=40, blank=True)
    per_customer = models.BooleanField()

    class Meta(OwnedModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["redemption", "owner_id"], name="pricing_redemptionuse_unique"
            ),
        ]
        indexes = [models.Index(fields=["owner_id"], name="pricing_redemptionuse_owner")]

    def __str__(self) -> str:
        return self.coupon or str(self.promotion_id)
