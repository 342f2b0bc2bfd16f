"""What a placement costs the database: plans that stay cheap while the tables grow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Any

import pytest
from django.db import connections

from domains.orders.services import batches
from infrastructure.database.contexts import aliases
from infrastructure.observability import correlation
from tests.support.factories import orders
from tests.support.factories import products as goods

pytestmark = pytest.mark.django_db

Statement = tuple[str, str, Any]


@contextmanager
def noted() -> Iterator[list[Statement]]:
    """(alias, statement, parameters) of everything that is executed in the block."""
    statements: list[Statement] = []

    def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        statements.append((context["connection"].alias, sql, params))
        return execute(sql, params, many, context)

    with ExitStack() as stack:
        for alias in aliases():
            stack.enter_context(connections[alias].execute_wrapper(note))
        yield statements


def test_no_command_of_a_placement_reads_a_table_from_end_to_end(now: datetime) -> None:
    """Not even in a new shop: connections keep the plans that they make while tables are empty."""
    goods.stocked({f"SKU{number}": 10 for number in range(1000)}, now=now)
    with noted() as statements:
        orders.placed({"SKU7": 2, "SKU1": 1, "SKU9": 1}, now=now)

    assert_nothing_is_read_from_end_to_end(statements, commands=5)


def test_nor_does_one_that_settles_a_few_orders_at_once(now: datetime) -> None:
    """Their plans are kept as well."""
    goods.stocked({f"SKU{number}": 10 for number in range(1000)}, now=now)
    found = [orders.placed({"SKU7": 1}, asynchronous=True, now=now).id for _ in range(3)]
    with noted() as statements:
        batches.settle_many(causes=dict.fromkeys(found, correlation.current()), now=now)

    assert_nothing_is_read_from_end_to_end(statements, commands=4)


def assert_nothing_is_read_from_end_to_end(statements: list[Statement], *, commands: int) -> None:
    found = [statement for statement in statements if statement[1].lstrip().startswith("WITH")]
    assert len(found) == commands
    for alias, sql, params in found:
        with connections[alias].cursor() as cursor:
            # Statistics that say how few rows there are would make reading them all the best plan.
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute(f"EXPLAIN {sql}", params)
            plan = "\n".join(line for (line,) in cursor.fetchall())
        assert "Seq Scan" not in plan, plan


def test_an_order_looks_at_no_hold_while_none_has_run_out(now: datetime) -> None:
    """Where there are many, and the plan is from when there were few, that is what costs most."""
    goods.stocked({"SKU1": 10}, now=now)
    orders.placed({"SKU1": 2}, now=now)
    with noted() as statements:
        orders.placed({"SKU1": 1}, now=now)

    alias, sql, params = next(
        one for one in statements if one[1].lstrip().startswith("SELECT v.sku")
    )
    with connections[alias].cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {sql}", params)
        plan = [line for (line,) in cursor.fetchall()]
    [of_lines] = [line for line in plan if "products_reservationline" in line]
    assert of_lines.endswith("(never executed)")
    # The first entry of the index, and not all holds that there are.
    [of_oldest] = [line for line in plan if "products_reservation e" in line]
    assert "using products_reservation_due on products_reservation e" in of_oldest
