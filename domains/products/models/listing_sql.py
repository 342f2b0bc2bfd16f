"""The statements that keep the listing in step with the tables it is computed from."""

from __future__ import annotations

from functools import cache

from django.conf import settings

from domains.products.models.category_counts import MOVES
from domains.products.models.listing_card_sql import card_ctes
from domains.products.models.listing_demand_sql import POPULAR_DAYS
from domains.products.models.listing_price_sql import PRICE_CTES
from domains.products.models.listing_variant_sql import VARIANT_CTES
from domains.products.models.listing_words_sql import WORDS_LOCK
from domains.products.rules.search import SHORTEST_CORRECTED, TWO_SLIPS_FROM, configuration_of

# Products whose listing one statement writes.
BATCH = 500
# Words that look like another one are found by what slips leave of so many letters.
KEYED_LETTERS = 7

LOCK = f"""
    WITH words AS MATERIALIZED (SELECT pg_advisory_xact_lock_shared({WORDS_LOCK}))
    SELECT 1 FROM words, products_product p WHERE p.id = ANY(%s::uuid[])
    ORDER BY p.id FOR NO KEY UPDATE OF p
"""

AVAILABILITY = """
    WITH now AS MATERIALIZED (
        SELECT v.product_id, v.id, s.on_hand + s.backorder_limit - s.held > 0 AS available
        FROM (
            SELECT DISTINCT product_id FROM products_variant WHERE id = ANY(%s::uuid[])
        ) p
        JOIN products_variant v ON v.product_id = p.product_id AND v.retired_at IS NULL
        JOIN products_stockitem s ON s.variant_id = v.id
    ), of_variants AS (
        UPDATE products_listingvariant l SET available = now.available FROM now
        WHERE l.variant_id = now.id AND l.available <> now.available
        RETURNING 1
    ), of_products AS (
        UPDATE products_listing l SET available = p.available, partly = p.partly
        FROM (
            SELECT product_id, bool_or(available) AS available,
                bool_or(available) AND NOT bool_and(available) AS partly
            FROM now GROUP BY product_id
        ) p
        WHERE l.product_id = p.product_id AND (l.available, l.partly) <> (p.available, p.partly)
        RETURNING 1
    )
    SELECT 1 FROM of_variants UNION ALL SELECT 1 FROM of_products
"""


def folded(text: str) -> str:
    """SQL: a text in lower case, without accents and apostrophes, words apart by one space."""
    letters = f"translate(lower(unaccent({text})), '''`', '')"
    return f"btrim(regexp_replace({letters}, '[^[:alnum:]]+', ' ', 'g'))"


def slip_keys(word: str) -> str:
    """SQL: by what a word and slips of the pen in it find each other in an index.

    What is left of the word's beginning without one letter, from six letters on without two, and
    the beginning itself: whatever one or two slips have made of it shares at least one of these
    (symmetric deletion, Garbe 2012). The letters behind the beginning need none: a slip before them
    pushes at most one letter across its end. Of a shorter word also all its letters in order.
    """
    return f"""ARRAY(
        SELECT left(b.beginning, greatest(i - 1, 0)) || substr(b.beginning, i + 1, j - i - 1)
            || substr(b.beginning, j + 1)
        FROM (
            SELECT left({word}, {KEYED_LETTERS}) AS beginning,
                CASE WHEN length({word}) >= {TWO_SLIPS_FROM} THEN {KEYED_LETTERS} ELSE 0 END AS most
        ) b
        CROSS JOIN LATERAL generate_series(0, least(b.most, length(b.beginning))) i
        CROSS JOIN LATERAL generate_series(i + 1, length(b.beginning) + 1) j
        UNION ALL
        SELECT string_agg(letter, '' ORDER BY letter COLLATE "C")
        FROM unnest(string_to_array({word}, NULL)) letter
        WHERE length({word}) < {TWO_SLIPS_FROM}
        HAVING count(*) > 0
    )"""


@cache
def refresh_text() -> str:
    """The statement for the locales of this installation."""
    default = settings.DEFAULT_LOCALE
    others = [locale for locale in settings.LOCALES if locale != default]
    texts = {default: ("p.name", "p.description")} | {
        locale: (f"t{n}.name", f"t{n}.description") for n, locale in enumerate(others)
    }
    joins = "".join(
        f" LEFT JOIN products_producttext t{n} ON t{n}.product_id = p.id AND t{n}.locale = '{code}'"
        for n, code in enumerate(others)
    )
    names = ", ".join(folded(f"coalesce({name}, '')") for name, _ in texts.values())
    told = ", ".join(folded(f"coalesce({story}, '')") for _, story in texts.values())
    configurations = [configuration_of(locale) for locale in texts]
    stemmed = " || ".join(
        f"to_tsvector('{configuration}'::regconfig, w.names[{n}])"
        for n, configuration in enumerate(configurations, 1)
    )
    stories = " || ".join(
        f"to_tsvector('{configuration}'::regconfig, w.stories[{n}])"
        for n, configuration in enumerate(configurations, 1)
    )
    own = configurations[0]
    columns = (
        "sort_name, created_at, available, partly, category_ids, tokens, identifiers, names,"
        " document"
    )
    return f"""
    WITH RECURSIVE asked AS MATERIALIZED (SELECT unnest(%s::uuid[]) AS id),
    shown AS MATERIALIZED (
        SELECT p.id, p.product_type_id, p.attributes, p.created_at, p.slug, p.name,
            ARRAY[{names}] AS names, ARRAY[{told}] AS stories
        FROM products_product p{joins}
        WHERE p.id = ANY(ARRAY(SELECT id FROM asked)) AND p.status = 'active'
    ), sold AS MATERIALIZED (
        SELECT v.product_id, shown.product_type_id, v.id, v.sku, v.barcode, v.name, v.options,
            v.unit, v.position, v.attributes,
            s.on_hand + s.backorder_limit - s.held > 0 AS available
        FROM shown JOIN products_variant v ON v.product_id = shown.id AND v.retired_at IS NULL
        JOIN products_stockitem s ON s.variant_id = v.id
    ), held AS (
        SELECT p.id AS product_id, NULL::uuid AS variant_id, a.code, a.kind, a.filterable,
            a.choices, p.attributes -> a.code AS stored
        FROM shown p JOIN products_attribute a
            ON a.product_type_id = p.product_type_id AND a.level = 'product'
        WHERE p.attributes ? a.code
        UNION ALL
        SELECT v.product_id, v.id, a.code, a.kind, a.filterable, a.choices,
            v.attributes -> a.code
        FROM sold v JOIN products_attribute a
            ON a.product_type_id = v.product_type_id AND a.level = 'variant'
        WHERE v.attributes ? a.code
    ), told AS MATERIALIZED (
        SELECT h.product_id, h.variant_id, h.code, h.kind, h.filterable, e.value, (
            SELECT concat_ws(' ', c.choice ->> 'name', n.names)
            FROM jsonb_array_elements(h.choices) c (choice), LATERAL (
                SELECT string_agg(x.name, ' ') AS names
                FROM jsonb_each_text(coalesce(c.choice -> 'names', '{{}}')) x (locale, name)
            ) n
            WHERE c.choice ->> 'code' = e.value
        ) AS choice
        FROM held h CROSS JOIN LATERAL jsonb_array_elements_text(
            CASE jsonb_typeof(h.stored) WHEN 'array' THEN h.stored
            ELSE jsonb_build_array(h.stored) END
        ) e (value)
    ), options AS MATERIALIZED (
        SELECT DISTINCT v.product_id, v.product_type_id,
            replace({folded("o.name")}, ' ', '_') AS code, o.name, o.value
        FROM sold v CROSS JOIN LATERAL jsonb_each_text(v.options) o (name, value)
    ), option_tokens AS MATERIALIZED (
        SELECT o.product_id, o.name, o.value, o.code || '=' || coalesce(c.code, o.value) AS token
        FROM options o
        LEFT JOIN LATERAL (
            SELECT x.choice ->> 'code' AS code
            FROM products_attribute a
            CROSS JOIN LATERAL jsonb_array_elements(a.choices) x (choice)
            WHERE a.product_type_id = o.product_type_id AND a.code = o.code AND a.filterable
                AND lower(o.value) IN (lower(x.choice ->> 'code'), lower(x.choice ->> 'name'))
            LIMIT 1
        ) c ON true
        WHERE o.code <> ''
    ), tokens AS MATERIALIZED (
        SELECT product_id, variant_id, code || '=' || value AS token FROM told
        WHERE filterable AND kind IN ('text', 'choice', 'multi_choice', 'boolean')
        UNION ALL
        SELECT v.product_id, v.id, t.token
        FROM sold v CROSS JOIN LATERAL jsonb_each_text(v.options) o (name, value)
        JOIN option_tokens t
            ON t.product_id = v.product_id AND t.name = o.name AND t.value = o.value
    ), tokens_of AS MATERIALIZED (
        SELECT product_id, array_agg(DISTINCT token ORDER BY token) AS tokens FROM tokens
        GROUP BY product_id
    ), sold_of AS MATERIALIZED (
        SELECT product_id, bool_or(available) AS available,
            bool_or(available) AND NOT bool_and(available) AS partly,
            string_agg(name, ' ' ORDER BY sku) AS names,
            array_agg({folded("sku")} ORDER BY sku) || array_agg({folded("barcode")} ORDER BY sku)
                AS codes
        FROM sold GROUP BY product_id
    ), told_of AS MATERIALIZED (
        SELECT product_id, string_agg(DISTINCT coalesce(choice, value), ' ') AS values
        FROM told WHERE kind IN ('text', 'choice', 'multi_choice') GROUP BY product_id
    ), options_of AS MATERIALIZED (
        SELECT product_id, string_agg(DISTINCT value, ' ') AS values FROM options
        GROUP BY product_id
    ), linked AS (
        SELECT l.product_id, array_agg(l.category_id ORDER BY l.category_id) AS ids,
            string_agg(concat_ws(' ', c.name, t.names), ' ') AS names
        FROM shown JOIN products_productcategory l ON l.product_id = shown.id
        JOIN products_category c ON c.id = l.category_id
        LEFT JOIN LATERAL (
            SELECT string_agg(t.name, ' ' ORDER BY t.locale) AS names
            FROM products_categorytext t WHERE t.category_id = c.id
        ) t ON true
        GROUP BY l.product_id
    ), w AS MATERIALIZED (
        SELECT p.id, p.created_at, p.names, p.stories, coalesce(v.available, false) AS available,
            coalesce(v.partly, false) AS partly,
            -- Of a product that comes, or comes back; the others' is brought up to date in turn.
            (
                SELECT coalesce(sum(n.units), 0) FROM products_listingdemand n
                WHERE n.product_id = p.id
                    AND n.day > (now() AT TIME ZONE 'UTC')::date - {POPULAR_DAYS}
            ) AS popularity,
            coalesce(l.ids, '{{}}') AS category_ids, coalesce(k.tokens, '{{}}') AS tokens,
            ARRAY(
                SELECT DISTINCT i FROM unnest(p.names || v.codes) i WHERE i <> '' ORDER BY i
            ) AS identifiers,
            coalesce(v.codes, '{{}}') AS codes,
            {folded("coalesce(l.names, '')")} AS categories,
            {folded("concat_ws(' ', v.names, f.values, o.values)")} AS traits
        FROM shown p
        LEFT JOIN linked l ON l.product_id = p.id
        LEFT JOIN tokens_of k ON k.product_id = p.id
        LEFT JOIN sold_of v ON v.product_id = p.id
        LEFT JOIN told_of f ON f.product_id = p.id
        LEFT JOIN options_of o ON o.product_id = p.id
    ), d AS MATERIALIZED (
        SELECT w.*, {stemmed} || to_tsvector('simple'::regconfig, array_to_string(w.names, ' '))
            AS name_words
        FROM w
    ), documents AS MATERIALIZED (
        SELECT d.*, setweight(d.name_words, 'A')
            || setweight(to_tsvector('simple'::regconfig, array_to_string(d.codes, ' ')), 'A')
            || setweight(to_tsvector('{own}'::regconfig, d.traits), 'B')
            || setweight(to_tsvector('simple'::regconfig, d.traits), 'B')
            || setweight(to_tsvector('{own}'::regconfig, d.categories), 'C')
            || setweight(to_tsvector('simple'::regconfig, d.categories), 'C')
            || strip({stories.replace("w.", "d.")}) AS document
        FROM d
    ), gone AS (
        DELETE FROM products_listing l
        WHERE l.product_id = ANY(ARRAY(SELECT id FROM asked))
            AND NOT EXISTS (SELECT FROM shown WHERE shown.id = l.product_id)
        RETURNING 1
    ), listed AS (
        INSERT INTO products_listing AS l (product_id, popularity, {columns})
        SELECT d.id, d.popularity, d.names[1], d.created_at, d.available, d.partly,
            d.category_ids, d.tokens, d.identifiers, strip(d.name_words), d.document
        FROM documents d ORDER BY d.id
        ON CONFLICT (product_id) DO UPDATE SET ({columns}) = ROW(
            {", ".join(f"excluded.{column}" for column in columns.split(", "))}
        )
        WHERE ({", ".join(f"l.{column}" for column in columns.split(", "))}) IS DISTINCT FROM
            ({", ".join(f"excluded.{column}" for column in columns.split(", "))})
        RETURNING 1
    ), {PRICE_CTES}, {card_ctes()}, numbers AS MATERIALIZED (
        SELECT product_id, variant_id, code, CASE
            WHEN kind = 'date' AND value ~ '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}$'
                THEN value::date - date '1970-01-01'
            WHEN kind = 'number' AND value ~ '^-?[0-9]' THEN value::double precision
            END AS value
        FROM told WHERE filterable AND kind IN ('number', 'date')
    ), numbers_gone AS (
        DELETE FROM products_listingnumber l
        WHERE l.product_id = ANY(ARRAY(SELECT id FROM asked)) AND NOT EXISTS (
            SELECT FROM numbers n
            WHERE n.product_id = l.product_id AND n.code = l.code AND n.value = l.value
        )
        RETURNING 1
    ), numbered AS (
        INSERT INTO products_listingnumber (product_id, code, value)
        SELECT DISTINCT product_id, code, value FROM numbers WHERE value IS NOT NULL
        ORDER BY product_id, code, value
        ON CONFLICT (product_id, code, value) DO NOTHING
        RETURNING 1
    ), {VARIANT_CTES}, named AS (
        INSERT INTO products_listingoption (code, name)
        SELECT o.code, min(o.name) FROM options o
        WHERE o.code <> '' AND NOT EXISTS (
            SELECT FROM products_listingoption k WHERE k.code = o.code
        )
        GROUP BY o.code ORDER BY o.code
        ON CONFLICT (code) DO NOTHING
    ), words AS (
        INSERT INTO products_listingword AS k (lexeme, head, products, slip_keys)
        SELECT f.lexeme, f.head, f.products, CASE
            WHEN f.head AND f.lexeme !~ '[0-9]' AND length(f.lexeme) >= {SHORTEST_CORRECTED - 1}
                THEN {slip_keys("f.lexeme")}
            ELSE '{{}}' END
        FROM (
            SELECT u.lexeme, bool_or(u.weights IS NOT NULL) AS head, count(*) AS products
            FROM documents d CROSS JOIN LATERAL unnest(d.document) u (lexeme, positions, weights)
            GROUP BY u.lexeme
        ) f
        WHERE NOT EXISTS (
            SELECT FROM products_listingword k WHERE k.lexeme = f.lexeme AND k.head >= f.head
        )
        ORDER BY f.lexeme
        ON CONFLICT (lexeme) DO UPDATE SET head = true, slip_keys = excluded.slip_keys
        WHERE excluded.head AND NOT k.head
    ), relisted AS MATERIALIZED (
        SELECT coalesce(l.product_id, d.id) AS product_id, l.category_ids AS left_ids,
            d.category_ids AS entered_ids
        FROM (
            SELECT product_id, category_ids FROM products_listing
            WHERE product_id = ANY(ARRAY(SELECT id FROM asked))
        ) l FULL JOIN documents d ON d.id = l.product_id
        WHERE l.category_ids IS DISTINCT FROM d.category_ids
    ), lies (product_id, more, category_id) AS (
        SELECT DISTINCT product_id, more, category_id FROM (
            SELECT product_id, -1 AS more, unnest(left_ids) AS category_id FROM relisted
            UNION ALL
            SELECT product_id, 1, unnest(entered_ids) FROM relisted
        ) direct
        UNION
        SELECT lies.product_id, lies.more, c.parent_id
        FROM lies JOIN products_category c ON c.id = lies.category_id
        WHERE c.parent_id IS NOT NULL
    ), counted AS (
        INSERT INTO products_categorycount (category_id, products, moves)
        SELECT category_id, sum(more), {MOVES} FROM lies
        GROUP BY category_id HAVING sum(more) <> 0
    )
    SELECT EXISTS (SELECT FROM gone) OR EXISTS (SELECT FROM listed)
            OR EXISTS (SELECT FROM numbers_gone) OR EXISTS (SELECT FROM numbered)
            OR EXISTS (SELECT FROM variants_gone) OR EXISTS (SELECT FROM told_apart),
        EXISTS (SELECT FROM prices_gone) OR EXISTS (SELECT FROM priced)
    """
