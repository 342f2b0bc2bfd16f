"""Listings that are due to be refreshed: of more products than a request should keep waiting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from django.db import models

from domains.products.models.listing_sql import BATCH
from infrastructure.database.contexts import connection_of
from infrastructure.ids import new_id

# Lists these products anew.
Refresh = Callable[[Sequence[UUID]], None]


class ListingDueQuerySet(models.QuerySet["ListingDue"]):
    def refresh_in_categories(self, category_ids: Sequence[UUID], refresh: Refresh) -> bool:
        """These categories are called something else: of all products that are directly in them.

        Up to AT_ONCE are refreshed now. Of more than that it is noted which are due, and the answer
        is False: then `refresh_next` has to be called until there is nothing left.
        """
        return self._now_or_due(ListingDue.Kind.CATEGORY, [*category_ids], refresh)

    def refresh_of_type(self, product_type_id: UUID, refresh: Refresh) -> bool:
        """The attributes of this type have changed: of all its products, in the same way."""
        return self._now_or_due(ListingDue.Kind.TYPE, [product_type_id], refresh)

    def note_price_lists(self, list_ids: Sequence[UUID]) -> None:
        """These lists hold for others now, or rank otherwise: the prices of all products in them
        are due. None is refreshed at once, since products are locked before price lists."""
        self._note(ListingDue.Kind.PRICE_LIST, list_ids)

    def refresh_next(self, refresh: Refresh, refresh_prices: Refresh) -> bool:
        """Refresh a batch of what is due; False where nothing is, or others are at all of it.
        refresh_prices: where only the prices are due.

        The place that was reached is written with the batch, so who is killed loses nothing.
        """
        fetch = connection_of("products").fetch
        found = fetch(_NEXT, [])
        if not found:
            return False
        [(due_id, source_id, kind, after)] = found
        ids = [product_id for (product_id,) in fetch(_PRODUCTS[kind], [[source_id], after, BATCH])]
        (refresh_prices if kind == ListingDue.Kind.PRICE_LIST else refresh)(ids)
        if len(ids) < BATCH:
            fetch("DELETE FROM products_listingdue WHERE id = %s RETURNING 1", [due_id])
        else:
            fetch(_REACHED, [ids[-1], due_id])
        return True

    def _now_or_due(self, kind: ListingDue.Kind, sources: Sequence[UUID], refresh: Refresh) -> bool:
        params = [list(sources), _START, AT_ONCE + 1]
        rows = connection_of("products").fetch(_PRODUCTS[kind], params)
        if len(rows) <= AT_ONCE:
            refresh([product_id for (product_id,) in rows])
            return True
        self._note(kind, sources)
        return False

    def _note(self, kind: ListingDue.Kind, sources: Sequence[UUID]) -> None:
        ids = [new_id() for _ in sources]
        connection_of("products").fetch(_DUE, [kind.value, _START, ids, list(sources)])


class ListingDue(models.Model):
    """The products of a type, in a category or in a price list that come behind `after` in the
    order of their ids are to be refreshed. Two rows of the same source are two passes over its
    products."""

    class Kind(models.TextChoices):
        TYPE = "type"
        CATEGORY = "category"
        PRICE_LIST = "price_list"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    source_id = models.UUIDField()
    kind = models.CharField(max_length=10, choices=Kind)
    after = models.UUIDField()

    objects = ListingDueQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.kind} {self.source_id} after {self.after}"


# How many products one command refreshes itself: below a second.
AT_ONCE = 500

_START = UUID(int=0)
# Each takes ids of sources, the product behind which it begins, and how many.
_PRODUCTS: dict[str, str] = {
    ListingDue.Kind.CATEGORY: """
        SELECT DISTINCT product_id FROM products_productcategory
        WHERE category_id = ANY(%s::uuid[]) AND product_id > %s ORDER BY product_id LIMIT %s
    """,
    ListingDue.Kind.TYPE: """
        SELECT id FROM products_product
        WHERE product_type_id = ANY(%s::uuid[]) AND id > %s ORDER BY id LIMIT %s
    """,
    ListingDue.Kind.PRICE_LIST: """
        SELECT p.id FROM products_product p
        WHERE EXISTS (
            SELECT FROM products_price pr JOIN products_variant v ON v.id = pr.variant_id
            WHERE pr.price_list_id = ANY(%s::uuid[]) AND v.product_id = p.id
        ) AND p.id > %s ORDER BY p.id LIMIT %s
    """,
}
_DUE = """
    INSERT INTO products_listingdue (id, source_id, kind, after)
    SELECT d.id, d.source_id, %s, %s FROM unnest(%s::uuid[], %s::uuid[]) d (id, source_id)
    RETURNING 1
"""
_NEXT = """
    SELECT id, source_id, kind, after FROM products_listingdue
    ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
"""
_REACHED = "UPDATE products_listingdue SET after = %s WHERE id = %s RETURNING 1"
