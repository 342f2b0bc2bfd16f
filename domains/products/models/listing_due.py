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
        return self._now_or_due(_IN_CATEGORIES, list(category_ids), [*category_ids], refresh)

    def refresh_of_type(self, product_type_id: UUID, refresh: Refresh) -> bool:
        """The attributes of this type have changed: of all its products, in the same way."""
        return self._now_or_due(_OF_TYPE, product_type_id, [product_type_id], refresh)

    def refresh_next(self, refresh: Refresh) -> bool:
        """Refresh a batch of what is due; False where nothing is, or others are at all of it.

        The place that was reached is written with the batch, so who is killed loses nothing.
        """
        fetch = connection_of("products").fetch
        found = fetch(_NEXT, [])
        if not found:
            return False
        [(due_id, source_id, is_type, after)] = found
        select, source = (_OF_TYPE, source_id) if is_type else (_IN_CATEGORIES, [source_id])
        ids = [product_id for (product_id,) in fetch(select, [source, after, BATCH])]
        refresh(ids)
        if len(ids) < BATCH:
            fetch("DELETE FROM products_listingdue WHERE id = %s RETURNING 1", [due_id])
        else:
            fetch(_REACHED, [ids[-1], due_id])
        return True

    def _now_or_due(
        self, select: str, param: object, sources: Sequence[UUID], refresh: Refresh
    ) -> bool:
        rows = connection_of("products").fetch(select, [param, _START, AT_ONCE + 1])
        if len(rows) <= AT_ONCE:
            refresh([product_id for (product_id,) in rows])
            return True
        ids = [new_id() for _ in sources]
        is_type = select == _OF_TYPE
        connection_of("products").fetch(_DUE, [is_type, _START, ids, list(sources)])
        return False


class ListingDue(models.Model):
    """The products of a type, or of a category, that come behind `after` in the order of their ids
    are to be refreshed. Two rows of the same source are two passes over its products."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    source_id = models.UUIDField()
    is_type = models.BooleanField()
    after = models.UUIDField()

    objects = ListingDueQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{'type' if self.is_type else 'category'} {self.source_id} after {self.after}"


# How many products one command refreshes itself: below a second.
AT_ONCE = 500

_START = UUID(int=0)
_IN_CATEGORIES = """
    SELECT DISTINCT product_id FROM products_productcategory
    WHERE category_id = ANY(%s::uuid[]) AND product_id > %s ORDER BY product_id LIMIT %s
"""
_OF_TYPE = """
    SELECT id FROM products_product WHERE product_type_id = %s AND id > %s ORDER BY id LIMIT %s
"""
_DUE = """
    INSERT INTO products_listingdue (id, source_id, is_type, after)
    SELECT d.id, d.source_id, %s, %s FROM unnest(%s::uuid[], %s::uuid[]) d (id, source_id)
    RETURNING 1
"""
_NEXT = """
    SELECT id, source_id, is_type, after FROM products_listingdue
    ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
"""
_REACHED = "UPDATE products_listingdue SET after = %s WHERE id = %s RETURNING 1"
