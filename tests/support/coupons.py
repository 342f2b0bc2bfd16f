"""What must be true of coupons after anything at all, asked of the database."""

from __future__ import annotations

from collections import defaultdict

from domains.pricing.models import Coupon, CustomerTally, Promotion, Tally
from domains.pricing.queries.audit import event_counts, use_audit
from infrastructure.database.contexts import alias_of
from infrastructure.outbox.models import OutboxMessage


def assert_uses_are_right() -> None:
    """What is counted is what is kept, no limit was passed, and the events of every aggregate are
    numbered without a gap."""
    for counted in use_audit():
        assert counted.used == counted.kept, counted
    for model in (Coupon, Promotion):
        for owner in model.objects.all():
            if owner.usage_limit is not None:
                assert Tally.objects.get(pk=owner.pk).used <= owner.usage_limit
            if (most := owner.usage_limit_per_customer) is not None:
                assert not CustomerTally.objects.filter(owner_id=owner.pk, used__gt=most)
    sequences = defaultdict(list)
    for message in OutboxMessage.objects.using(alias_of("pricing")).order_by("id"):
        if message.topic == "pricing-events":
            sequences[message.key].append(message.sequence)
    for key, numbers in sequences.items():
        assert numbers == list(range(1, len(numbers) + 1)), key
    recorded = {str(key): count for key, _, count in event_counts()}
    assert recorded == {key: len(numbers) for key, numbers in sequences.items()}
