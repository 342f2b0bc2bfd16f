"""The process that carries out a command is killed before each of its statements in turn: what is
left is either nothing, or is carried on by recovery, and done once."""

from __future__ import annotations

import signal
import subprocess
import sys
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
    stock,
)
from tests.support.factories import orders
from tests.support.factories import products as goods
from tests.support.messaging import process_environment
from tests.support.order_commands import COMMANDS, announce

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults]

# What has to be true before the command, and what after it: status, (on hand, held), captured,
# refunded. Without a step nothing has happened; there is nothing between.
PREPARED = {
    "cancel_lines": ["capture"],
    "cancel": ["capture"],
    "refund": ["fulfil"],
    "receive": ["fulfil", "announce"],
}
BEFORE = {
    "fulfil": ("CONFIRMED", (5, 2), 0, 0),
    "capture": ("CONFIRMED", (5, 2), 0, 0),
    "cancel_lines": ("CONFIRMED", (5, 2), 2000, 0),
    "cancel": ("CONFIRMED", (5, 2), 2000, 0),
    "edit": ("CONFIRMED", (5, 2), 0, 0),
    "refund": ("COMPLETED", (3, 0), 2000, 0),
    "receive": ("COMPLETED", (3, 0), 2000, 0),
}
AFTER = {
    "fulfil": ("COMPLETED", (3, 0), 2000, 0),
    "capture": ("CONFIRMED", (5, 2), 2000, 0),
    "cancel_lines": ("CONFIRMED", (5, 1), 2000, 1000),
    "cancel": ("CANCELLED", (5, 0), 2000, 2000),
    "edit": ("CONFIRMED", (5, 3), 0, 0),
    "refund": ("COMPLETED", (3, 0), 2000, 1000),
    "receive": ("COMPLETED", (4, 0), 2000, 0),
}


def prepared(command: str, now: datetime) -> Order:
    goods.stocked({"A": 5}, now=now)
    order = orders.placed({"A": 2}, now=now)
    for before in PREPARED.get(command, []):
        act = announce if before == "announce" else COMMANDS[before]
        act(reread(order), now)
    return reread(order)


def state_of(order: Order) -> tuple[str, tuple[int, int], int, int]:
    order = reread(order)
    state = money_of(order)
    return order.status, stock("A"), state.captured_minor, state.refunded_minor


def killed(order: Order, command: str, life: int) -> bool:
    """Whether the process was killed; it was done before that otherwise."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.steps_process", str(order.id), command, str(life)],
        cwd=settings.BASE_DIR,
        env=process_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode != 0


def kill_and_recover(command: str, life: int, now: datetime) -> bool:
    order = prepared(command, now)
    assert state_of(order) == BEFORE[command]
    earlier = len(order.steps)

    was_killed = killed(order, command, life)
    begun = len(reread(order).steps) > earlier
    settling.settle_unfinished(now=now + timedelta(minutes=1))

    assert state_of(order) == (AFTER[command] if begun else BEFORE[command])
    assert_order_agrees(order.id)
    assert_books_agree(now)
    return was_killed


# After the step is written: in the middle of what it does elsewhere.
@pytest.mark.parametrize(
    ("command", "life"),
    [
        ("fulfil", 7),
        ("refund", 8),
        pytest.param("edit", 9, marks=pytest.mark.long),
        pytest.param("cancel", 6, marks=pytest.mark.long),
    ],
)
def test_a_command_that_was_killed_is_carried_on(now: datetime, command: str, life: int) -> None:
    assert kill_and_recover(command, life, now)


@pytest.mark.long
@pytest.mark.parametrize("life", range(2, 40, 1))
@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_command_may_be_killed_before_any_statement(
    now: datetime, command: str, life: int
) -> None:
    kill_and_recover(command, life, now)
