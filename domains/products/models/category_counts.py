"""How many products on sale lie in each category or below it, kept beside the listing."""

from __future__ import annotations

from django.db import models

from infrastructure.database.contexts import connection_of


class CategoryCountQuerySet(models.QuerySet["CategoryCount"]):
    def tree_changed(self) -> None:
        """A category hangs somewhere else now: what was counted so far was counted in another tree.

        The caller has locked the tree. Until the next recount readers count for themselves.
        """
        connection_of("products").fetch(_TREE_CHANGED, [])

    def is_stale(self) -> bool:
        [(stale,)] = connection_of("products").fetch(f"SELECT {STALE}", [])
        return bool(stale)

    def recount(self) -> None:
        """Count all categories anew.

        One statement sees the listing and what was counted of it as of one moment. What others add
        meanwhile, they add to this.
        """
        connection_of("products").fetch(_LOCK, [])
        connection_of("products").fetch(_NO_TIMEOUT, [])
        connection_of("products").fetch(_RECOUNT, [])

    def fold(self) -> None:
        """Write one row where a category has several; what they add up to stays the same."""
        connection_of("products").fetch(_LOCK, [])
        connection_of("products").fetch(_FOLD, [])


class CategoryCount(models.Model):
    """So many products more, or fewer, lie in a category or below it: its rows add up.

    Whoever changes the listing adds rows, and changes none, so nobody waits for anybody.
    moves: in which tree that was counted, as how often categories had been hung elsewhere by then;
    a row without category says that it happened. Rows of different trees do not add up.
    """

    category_id = models.UUIDField(null=True)
    products = models.IntegerField()
    moves = models.BigIntegerField()

    objects = CategoryCountQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["category_id"], name="products_categorycount_of"),
            models.Index(fields=["moves"], name="products_categorycount_moves"),
        ]

    def __str__(self) -> str:
        return f"{self.products:+} in {self.category_id}"


MOVES = "(SELECT coalesce(max(moves), 0) FROM products_categorycount)"
"""SQL: how often categories were hung elsewhere."""

STALE = """
    coalesce((SELECT min(moves) <> max(moves) FROM products_categorycount), false)
"""
"""SQL: whether some of the rows were counted in another tree."""


def counted_anew(tree: str) -> str:
    """SQL: how many products on sale lie in each category of `tree` (its id and parent_id), or
    below it there. Takes time with all products."""
    return f"""
        WITH RECURSIVE above (id, category_id) AS (
            SELECT id, id FROM {tree}
            UNION ALL
            SELECT above.id, t.parent_id FROM above JOIN {tree} t ON t.id = above.category_id
            WHERE t.parent_id IN (SELECT id FROM {tree})
        )
        SELECT category_id, count(*)::int AS products FROM (
            SELECT DISTINCT l.product_id, above.category_id
            FROM products_productcategory l
            JOIN products_listing s ON s.product_id = l.product_id
            JOIN above ON above.id = l.category_id
        ) lies GROUP BY category_id
    """


_LOCK = "SELECT pg_advisory_xact_lock(hashtext('products_categorycount'))"
_NO_TIMEOUT = "SELECT set_config('statement_timeout', '0', true)"
_TREE_CHANGED = f"""
    INSERT INTO products_categorycount (products, moves) SELECT 0, 1 + {MOVES} RETURNING 1
"""
_RECOUNT = f"""
    WITH gone AS (
        DELETE FROM products_categorycount
    )
    INSERT INTO products_categorycount (category_id, products, moves)
    SELECT NULL, 0, {MOVES}
    UNION ALL
    SELECT category_id, products, {MOVES} FROM ({counted_anew("products_category")}) c
    RETURNING 1
"""
_FOLD = """
    WITH several AS (
        SELECT category_id, moves FROM products_categorycount WHERE category_id IS NOT NULL
        GROUP BY category_id, moves HAVING count(*) > 1 OR sum(products) = 0
    ), gone AS (
        DELETE FROM products_categorycount c USING several s
        WHERE c.category_id = s.category_id AND c.moves = s.moves
        RETURNING c.category_id, c.products, c.moves
    )
    INSERT INTO products_categorycount (category_id, products, moves)
    SELECT category_id, sum(products), moves FROM gone
    GROUP BY category_id, moves HAVING sum(products) <> 0
    RETURNING 1
"""
