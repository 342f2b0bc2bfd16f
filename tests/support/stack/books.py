"""The proof after a fault: the shop's own audit, then its books against those of others: what
clients were told, what the gateway holds, what the handlers added up."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from tests.support.stack.buyers import Buyer, Told
from tests.support.stack.shop import Shop

_WAIT_SECONDS = 120

# What an order has to be in the end for what its client was told.
_STATUS_OF_OUTCOME = {
    "CONFIRMED": {"CONFIRMED"},
    "PENDING": {"CONFIRMED", "REJECTED"},
    "out_of_stock": {"REJECTED", None},
    "payment_declined": {"REJECTED"},
    "quote_refused": {"REJECTED", None},
    "price_changed": {None},
    "gave up": {"CONFIRMED", "REJECTED", None},
}


def require_agreement(shop: Shop, *buyers: Buyer) -> dict[str, dict[str, Any]]:
    """Wait until the shop is at rest, and find nothing lost, doubled, oversold or unpaid.

    Returns the checks of the audit by name.
    """
    shop.require_roles()
    checks = audit(shop)
    found = [one for buyer in buyers for one in differences(shop, buyer)]
    found += [*unowned_authorisations(shop), *effects_that_differ(shop)]
    assert not found, "\n".join(found)
    return checks


def audit(shop: Shop) -> dict[str, dict[str, Any]]:
    """`audit_books` by check, after the shop has come to rest. It has to find nothing at all."""
    result = shop.manage("audit_books", "--json", "--wait", str(_WAIT_SECONDS))
    assert result.stdout.startswith("["), f"{result.stdout}\n{result.stderr}"
    checks = {check["name"]: check for check in json.loads(result.stdout)}
    # What the audit lets pass as in flight has to have landed too.
    wrong = [
        check
        for check in checks.values()
        if check["differences"] or check["in_flight"] or check["reason"]
    ]
    assert not wrong, f"{json.dumps(wrong, indent=1)}\n{result.stderr}"
    assert result.returncode == 0, result.stderr
    return checks


def differences(shop: Shop, buyer: Buyer) -> list[str]:
    """Where the journal of a buyer and the orders in the database disagree."""
    orders = {
        order_id: (status, reason)
        for order_id, status, reason in shop.query(
            "orders",
            "SELECT id::text, status, reason FROM orders_order WHERE customer_id = %s",
            [buyer.customer_id],
        )
    }
    orders_of_key: dict[str, list[str]] = {}
    for key, order_id in shop.query(
        "orders",
        "SELECT key, subject_id::text FROM platform_idempotencyrecord WHERE key = ANY(%s)",
        [[told.key for told in buyer.journal]],
    ):
        orders_of_key.setdefault(key, []).append(order_id)
    found = [
        f"order {order_id} {orders[order_id]} was made by {times} keys"
        for order_id in orders
        if (times := sum(ids.count(order_id) for ids in orders_of_key.values())) != 1
    ]
    for told in buyer.journal:
        found += _differences_of(told, orders, orders_of_key.get(told.key, []))
    return found


def _differences_of(told: Told, orders: dict[str, tuple[str, str]], made: list[str]) -> list[str]:
    if len(made) > 1:
        return [f"key {told.key} made {made}"]
    status, reason = orders[made[0]] if made else (None, "")
    if status not in _STATUS_OF_OUTCOME.get(told.outcome, set()):
        return [f"key {told.key} was told {told.status} {told.outcome}, its order is {status}"]
    if status == "REJECTED" and told.status >= 400 and reason not in told.codes:
        return [f"key {told.key} was told {told.outcome}, its order was rejected for {reason}"]
    if told.status in (201, 202) and told.order_id != made[0]:
        return [f"key {told.key} was told of order {told.order_id}, it made {made[0]}"]
    return []


def unowned_authorisations(shop: Shop) -> list[str]:
    """What the gateway holds, by its own books, that no confirmed order of that amount explains."""
    held = Counter(
        (one["reference"], one["amount_minor"])
        for one in shop.authorisations()
        if not one["is_voided"]
    )
    owed = Counter(
        shop.query(
            "orders",
            "SELECT number, total_minor FROM orders_order"
            " WHERE status IN ('CONFIRMED', 'COMPLETED') AND payment_method = 'card'",
        )
    )
    return [f"held without an order: {one}" for one in held - owed] + [
        f"confirmed and not held: {one}" for one in owed - held
    ]


def effects_that_differ(shop: Shop) -> list[str]:
    """Where the sales, which a handler adds up event by event, are not those of the orders.

    An event that was handled twice, or not at all, shows here.
    """
    [handled] = shop.query(
        "reporting",
        "SELECT coalesce(sum(rejected), 0), coalesce(sum(cancelled), 0),"
        " coalesce(sum(confirmed_minor - cancelled_minor), 0) FROM reporting_salesday",
    )
    [happened] = shop.query(
        "orders",
        "SELECT count(*) FILTER (WHERE status = 'REJECTED'),"
        " count(*) FILTER (WHERE status = 'CANCELLED'),"
        " coalesce(sum(total_minor) FILTER (WHERE status IN ('CONFIRMED', 'COMPLETED')), 0)"
        " FROM orders_order",
    )
    names = ("orders rejected", "orders cancelled", "turnover in minor units")
    return [
        f"{name}: {told} were added up, {true} there are"
        for name, told, true in zip(names, handled, happened, strict=True)
        if told != true
    ]


def stock_of(shop: Shop, sku: str) -> tuple[int, int]:
    """(on hand, held)"""
    [row] = shop.query(
        "products", "SELECT on_hand, held FROM products_stockitem WHERE sku = %s", [sku]
    )
    return row
