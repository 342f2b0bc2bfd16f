"""The statements that count the words and options of the listing, and drop those of no product."""

from __future__ import annotations

# Whoever lists products shares this; only to drop words that are not needed it is taken alone, and
# not waited for.
WORDS_LOCK = "hashtext('products_listingword')"
TRY_WORDS = f"SELECT pg_try_advisory_xact_lock({WORDS_LOCK})"
NO_TIMEOUT = "SELECT set_config('statement_timeout', '0', true)"

SPARE_WORDS = """
    SELECT w.lexeme FROM products_listingword w
    LEFT JOIN ts_stat('SELECT document FROM products_listing') used ON used.word = w.lexeme
    LEFT JOIN ts_stat('SELECT document FROM products_listing', 'abc') heads
        ON heads.word = w.lexeme
    WHERE used.word IS NULL OR w.head AND heads.word IS NULL
"""

SPARE_OPTIONS = """
    SELECT o.code FROM products_listingoption o WHERE o.code NOT IN (
        SELECT split_part(t.token, '=', 1)
        FROM (SELECT DISTINCT unnest(tokens) AS token FROM products_listing) t
    )
"""

# Each word is looked for once more, through the index.
_LEXEME = r"('''' || replace(replace(w.lexeme, '\', '\\'), '''', '''''') || '''')"

FORGET_WORDS = f"""
    WITH demoted AS (
        UPDATE products_listingword w SET head = false
        WHERE w.lexeme = ANY(%s::text[]) AND w.head
            AND EXISTS (
                SELECT FROM products_listing l WHERE l.document @@ {_LEXEME}::tsquery
            ) AND NOT EXISTS (
                SELECT FROM products_listing l WHERE l.document @@ ({_LEXEME} || ':ABC')::tsquery
            )
    )
    DELETE FROM products_listingword w WHERE w.lexeme = ANY(%s::text[]) AND NOT EXISTS (
        SELECT FROM products_listing l WHERE l.document @@ {_LEXEME}::tsquery
    )
    RETURNING 1
"""

FORGET_OPTIONS = """
    DELETE FROM products_listingoption o WHERE o.code = ANY(%s::text[]) AND NOT EXISTS (
        SELECT FROM products_listing l, unnest(l.tokens) t (token)
        WHERE starts_with(t.token, o.code || '=')
    )
    RETURNING 1
"""

COUNT_WORDS = """
    WITH counted AS MATERIALIZED (
        SELECT s.word, s.ndoc FROM ts_stat('SELECT document FROM products_listing') s
        JOIN products_listingword w ON w.lexeme = s.word AND w.products <> s.ndoc
    ), locked AS MATERIALIZED (
        SELECT lexeme FROM products_listingword
        WHERE lexeme = ANY(ARRAY(SELECT word FROM counted)) ORDER BY lexeme FOR NO KEY UPDATE
    )
    UPDATE products_listingword w SET products = c.ndoc
    FROM counted c JOIN locked k ON k.lexeme = c.word WHERE w.lexeme = c.word RETURNING 1
"""
