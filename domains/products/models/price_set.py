"""Prices in numbers: locking those that are to be changed, with the entries that still matter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from domains.products.models.price_entries import PriceEntry, entries_that_matter
from domains.products.models.products import Product
from infrastructure.aggregates import AggregateQuerySet
from infrastructure.database.contexts import alias_of, connection_of

if TYPE_CHECKING:
    from domains.products.models.prices import Price

# (variant, currency, price list or None for the base)
PriceKey = tuple[UUID, str, UUID | None]


class PriceQuerySet(AggregateQuerySet):
    def locked(self, keys: Iterable[PriceKey], *, now: datetime) -> dict[PriceKey, Price]:
        """Those of these prices that exist, with the entries that still matter: three statements.

        keys: one at least.

        Their products are locked before them, as the lists that show them are written under that
        lock; so those that are not there yet come from nobody else meanwhile.
        """
        variants, currencies, lists = zip(*keys, strict=True)
        Product.objects.lock_of_variants(set(variants))
        params = [list(variants), list(currencies), list(lists)]
        return self._with_entries(self._run(_LOCK_KEYS, params), now)

    def locked_by_id(self, ids: Sequence[UUID], *, now: datetime) -> dict[PriceKey, Price]:
        """The same by their ids."""
        connection_of("products").fetch(_LOCK_PRODUCTS, [list(ids)])
        return self._with_entries(self._run(_LOCK_IDS, [list(ids)]), now)

    def due(self, *, now: datetime, at_most: int) -> dict[PriceKey, Price]:
        """Prices whose time has come, the longest overdue first, locked with their products; not
        those that a command has in hand. It waits for nobody, so it need not keep to the order.

        None while another transaction takes those that are due: one such job at a time is enough,
        and leaves workers to others.
        """
        [(is_alone,)] = connection_of("products").fetch(_TRY_DUE, [])
        if not is_alone:
            return {}
        return self._with_entries(self._run(_LOCK_DUE, [now, at_most]), now)

    def _run(self, sql: str, params: Sequence[Any]) -> list[Price]:
        rows: Any = self.using(alias_of("products")).raw(sql, params)
        return list(rows)

    def _with_entries(self, prices: list[Price], now: datetime) -> dict[PriceKey, Price]:
        entries: dict[UUID, list[PriceEntry]] = {price.id: [] for price in prices}
        if prices:
            for entry in entries_that_matter(prices, now):
                entries[entry.price_id].append(entry)
        for price in prices:
            self.model.entries.fill(price, entries[price.id])
        return {price.key: price for price in prices}


_LOCK_KEYS = """
    SELECT pr.* FROM products_price pr
    WHERE pr.id = ANY(ARRAY(
        SELECT p.id FROM unnest(%s::uuid[], %s::text[], %s::uuid[]) k (variant_id, currency, list)
        JOIN products_price p ON p.variant_id = k.variant_id AND p.currency = k.currency
            AND p.price_list_id IS NOT DISTINCT FROM k.list
    ))
    ORDER BY pr.id FOR NO KEY UPDATE
"""
_LOCK_PRODUCTS = """
    SELECT p.id FROM products_product p WHERE p.id = ANY(ARRAY(
        SELECT v.product_id FROM products_price pr JOIN products_variant v ON v.id = pr.variant_id
        WHERE pr.id = ANY(%s::uuid[])
    ))
    ORDER BY p.id FOR NO KEY UPDATE
"""
_LOCK_IDS = """
    SELECT pr.* FROM products_price pr WHERE pr.id = ANY(%s::uuid[])
    ORDER BY pr.id FOR NO KEY UPDATE
"""
_TRY_DUE = "SELECT pg_try_advisory_xact_lock(hashtext('products_price'))"
_LOCK_DUE = """
    SELECT pr.* FROM products_price pr
    JOIN products_variant v ON v.id = pr.variant_id JOIN products_product p ON p.id = v.product_id
    WHERE pr.changes_at <= %s
    ORDER BY pr.changes_at, pr.id LIMIT %s FOR NO KEY UPDATE OF p, pr SKIP LOCKED
"""
