"""What a process of its own does to the stock: `python -m tests.support.stock_process <command>`.

buy <how many> <threads>: buy one of every SKU whose name begins with HOT, so often, and print how
    many were held.
expire <instant>: free the expired holds of carts, a few per statement, printing a line after each,
    and going on when told so by one.
"""

from __future__ import annotations

import sys
from datetime import datetime

import django

from tests.support.saying import say


def buy(times: int, threads: int, now: datetime) -> None:
    from domains.products.models import StockItem
    from domains.products.public import Held, HoldLine, hold
    from infrastructure.database.threads import in_threads
    from infrastructure.ids import new_id

    lines = [
        HoldLine(variant_id=item.pk, sku=item.sku, quantity=1)
        for item in StockItem.objects.filter(sku__startswith="HOT")
    ]
    outcomes = []

    def one(_: int) -> None:
        outcomes.append(hold(order_id=new_id(), lines=lines, now=now))

    in_threads(one, range(times), threads=threads)
    say(f"{sum(outcome == Held() for outcome in outcomes)} {len(outcomes)}")


def expire(now: datetime) -> None:
    from domains.products.models import Reservation

    while Reservation.objects.free_expired(now=now, turned=set(), limit=5)[1]:
        say("freed")
        sys.stdin.readline()


def main(command: str, *arguments: str) -> None:
    django.setup()
    now = datetime.fromisoformat(arguments[-1])
    if command == "buy":
        buy(int(arguments[0]), int(arguments[1]), now)
    else:
        expire(now)


if __name__ == "__main__":
    main(*sys.argv[1:])
