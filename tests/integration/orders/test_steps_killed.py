"""The process that carries out a command is killed beside each of its changes in turn: what is left
is either nothing, or is carried on by recovery, and done once."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.conf import settings

from domains.orders.models import Order
from domains.orders.services import settling
from tests.support.after_placement import (
    assert_books_agree,
    assert_order_agrees,
    money_of,
    reread,
)
from tests.support.factories import orders
from tests.support.factories import products as goods
from tests.support.messaging import process_environment
from tests.support.order_commands import COMMANDS, REFUSED, announce, goods_go, send_one
from tests.support.placed_orders import stock_of
from tests.support.workers import DOOMED, until_forgotten

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults]

# What has to be true before the command, and what after it: status, (on hand, held), captured,
# refunded. Without a step nothing has happened; there is nothing between.
PREPARED = {
    "cancel_lines": ["capture"],
    "cancel": ["capture"],
    "cancel_rest": ["send_one"],
    "refund": ["fulfil"],
    "receive": ["fulfil", "announce"],
    "receive_nowhere": ["fulfil", "announce"],
    "fulfil_lacking": ["goods_go"],
}
PREPARATIONS = COMMANDS | {
    "announce": announce,
    "goods_go": goods_go,
    "send_one": send_one,
}
BEFORE = {
    "fulfil": ("CONFIRMED", (5, 2), 0, 0),
    "capture": ("CONFIRMED", (5, 2), 0, 0),
    "cancel_lines": ("CONFIRMED", (5, 2), 2000, 0),
    "cancel": ("CONFIRMED", (5, 2), 2000, 0),
    "cancel_rest": ("CONFIRMED", (4, 1), 1000, 0),
    "edit": ("CONFIRMED", (5, 2), 0, 0),
    "refund": ("COMPLETED", (3, 0), 2000, 0),
    "receive": ("COMPLETED", (3, 0), 2000, 0),
    "receive_nowhere": ("COMPLETED", (3, 0), 2000, 0),
    "fulfil_lacking": ("CONFIRMED", (0, 2), 0, 0),
}
AFTER = {
    "fulfil": ("COMPLETED", (3, 0), 2000, 0),
    "capture": ("CONFIRMED", (5, 2), 2000, 0),
    "cancel_lines": ("CONFIRMED", (5, 1), 2000, 1000),
    "cancel": ("CANCELLED", (5, 0), 2000, 2000),
    "cancel_rest": ("COMPLETED", (4, 0), 1000, 0),
    "edit": ("CONFIRMED", (5, 3), 0, 0),
    "refund": ("COMPLETED", (3, 0), 2000, 1000),
    "receive": ("COMPLETED", (4, 0), 2000, 0),
    "receive_nowhere": ("COMPLETED", (3, 0), 2000, 0),
    "fulfil_lacking": ("CONFIRMED", (0, 2), 0, 0),
}


# Whose tables each command changes, one statement after the other. The first writes the step down.
CHANGES = {
    "fulfil": "orders payments payments products products orders orders",
    "capture": "orders payments payments orders",
    "cancel_lines": "orders payments payments products orders",
    "cancel": "orders payments payments orders products orders",
    "cancel_rest": "orders products orders orders payments payments orders",
    "edit": "orders payments payments products orders payments payments orders",
    "refund": "orders payments payments orders",
    "receive": "orders products orders",
    "receive_nowhere": "orders products orders",
    "fulfil_lacking": "orders products orders",
}
NOT_BEGUN = "before=orders:1"


def prepared(command: str, now: datetime) -> Order:
    goods.stocked({"A": 5}, now=now)
    order = orders.placed({"A": 2}, now=now)
    for before in PREPARED.get(command, []):
        PREPARATIONS[before](reread(order), now)
    return reread(order)


def state_of(order: Order) -> tuple[str, tuple[int, int], int, int]:
    order = reread(order)
    state = money_of(order)
    return order.status, stock_of("A"), state.captured_minor, state.refunded_minor


def carry_out(order: Order, command: str, point: str = "") -> subprocess.CompletedProcess[str]:
    """In a process that kills itself at the point, if there is one."""
    return subprocess.run(
        [sys.executable, "-m", "tests.support.steps_process", str(order.id), command, point],
        cwd=settings.BASE_DIR,
        env=process_environment(ROLE=DOOMED),
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def kill_and_recover(command: str, point: str, now: datetime) -> None:
    order = prepared(command, now)
    assert state_of(order) == BEFORE[command]
    earlier = len(order.steps)

    done = carry_out(order, command, point)
    assert done.returncode == -signal.SIGKILL, done.stderr
    until_forgotten()
    is_begun = point != NOT_BEGUN
    assert len(reread(order).steps) == earlier + is_begun
    settling.settle_unfinished(now=now + timedelta(minutes=1))
    if is_begun:
        step = reread(order).steps[-1]
        assert step.state == ("REFUSED" if command in REFUSED else "DONE")

    assert state_of(order) == (AFTER[command] if is_begun else BEFORE[command])
    assert_order_agrees(order.id)
    assert_books_agree(now)


def points_of(command: str) -> Iterator[str]:
    """Before and after each change."""
    contexts = CHANGES[command].split()
    for place, context in enumerate(contexts, start=1):
        number = contexts[:place].count(context)
        yield f"before={context}:{number}"
        yield f"after={context}:{number}"


# In the middle of what it does elsewhere.
@pytest.mark.parametrize(
    ("command", "point"),
    [
        ("fulfil", "after=payments:1"),
        ("refund", "after=payments:2"),
        ("cancel_rest", "after=payments:1"),
        ("fulfil_lacking", "before=orders:2"),
    ],
)
def test_a_command_that_was_killed_is_carried_on(now: datetime, command: str, point: str) -> None:
    kill_and_recover(command, point, now)


@pytest.mark.long
@pytest.mark.parametrize(
    ("command", "point"),
    [(command, point) for command in sorted(CHANGES) for point in points_of(command)],
)
def test_a_command_may_be_killed_before_and_after_any_change(
    now: datetime, command: str, point: str
) -> None:
    kill_and_recover(command, point, now)


@pytest.mark.long
@pytest.mark.parametrize("command", sorted(CHANGES))
def test_those_are_all_the_changes_that_a_command_makes(now: datetime, command: str) -> None:
    order = prepared(command, now)

    done = carry_out(order, command)

    assert (done.returncode, done.stdout) == (0, CHANGES[command]), done.stderr
    assert state_of(order) == AFTER[command]
