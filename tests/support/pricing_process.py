"""What a process of its own does to coupons: `python -m tests.support.pricing_process <command>`.

redeem <times> <threads> <now>: use every coupon whose code begins with HOT, each time for another
    order and customer, and print how many might.
work <now>: go on using them, and giving every other one back, printing the order before each step.
"""

from __future__ import annotations

import sys
from datetime import datetime
from itertools import count
from typing import Any

import django

from tests.support.saying import say


def redeem(times: int, threads: int, now: datetime) -> None:
    from domains.pricing import public
    from infrastructure.database.threads import in_threads
    from infrastructure.ids import new_id

    uses = hot()
    outcomes = []

    def one(_: int) -> None:
        order_id = new_id()
        outcomes.append(
            public.redeem(order_id=order_id, uses=uses, customer_key=str(order_id), now=now)
        )

    in_threads(one, range(times), threads=threads)
    say(f"{sum(outcome == public.Redeemed() for outcome in outcomes)} {len(outcomes)}")


def work(now: datetime) -> None:
    from domains.pricing import public
    from infrastructure.ids import new_id

    uses = hot()
    for number in count():
        order_id = new_id()
        say(str(order_id))
        public.redeem(order_id=order_id, uses=uses, customer_key=f"c{number % 3}", now=now)
        if number % 2:
            say(str(order_id))
            public.give_back(order_id=order_id, now=now)


def hot() -> list[Any]:
    from domains.pricing.models import Coupon
    from domains.pricing.public import Use

    return [
        Use(promotion_id=coupon.promotion_id, coupon=coupon.code)
        for coupon in Coupon.objects.filter(code__startswith="HOT")
    ]


def main(command: str, *arguments: str) -> None:
    django.setup()
    now = datetime.fromisoformat(arguments[-1])
    if command == "redeem":
        redeem(int(arguments[0]), int(arguments[1]), now)
    else:
        work(now)


if __name__ == "__main__":
    main(*sys.argv[1:])
