"""What must be true of the stock after anything at all, asked of the database."""

from __future__ import annotations

from collections import Counter, defaultdict
from uuid import UUID

from domains.products.models import Reservation, StockItem, StockLevel
from domains.products.public import stock_audit
from domains.products.queries.audit import event_counts
from infrastructure.database.contexts import alias_of
from infrastructure.outbox.models import OutboxMessage


def assert_books_are_right() -> None:
    """Counters, ledger, levels and reservations agree; nothing was oversold; and the events of
    every aggregate are numbered without a gap, in the order in which they will be sent."""
    promised: Counter[UUID] = Counter()
    for reservation in Reservation.objects.filter(status="HELD").prefetch_related("line_rows"):
        promised.update({line.stock_item_id: line.quantity for line in reservation.lines})
    for stock in stock_audit():
        assert stock.held == stock.ledger_held == stock.reserved == promised[stock.variant_id]
        assert stock.on_hand == stock.ledger_on_hand == stock.levels_on_hand
        assert stock.oversold_holds == 0
    assert not StockLevel.objects.filter(on_hand__lt=0).exists()
    assert not StockItem.objects.filter(held__lt=0).exists()
    sequences = defaultdict(list)
    for message in OutboxMessage.objects.using(alias_of("products")).order_by("id"):
        sequences[message.key].append(message.sequence)
    for key, numbers in sequences.items():
        assert numbers == list(range(1, len(numbers) + 1)), key
    recorded = {str(key): count for key, _, count in event_counts()}
    assert recorded == {key: len(numbers) for key, numbers in sequences.items()}
