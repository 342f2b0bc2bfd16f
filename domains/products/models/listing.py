"""What lists are made from: a read model, written beside the aggregates and never instead of them.

It decides which products a list has, in which order, and what the facets count. Of most products it
has what is shown of them as well, but for their stock; otherwise that is read from the aggregates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models

from domains.products.models import (
    listing_demand_sql,
    listing_price_sql,
    listing_sql,
    listing_words_sql,
)
from domains.products.models.products import Product
from domains.products.models.variants import Variant
from infrastructure.database.contexts import connection_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Refreshed:
    """What of the listing has changed.

    lists: which products lists have, or in which order. prices: what they are filtered and sorted
    by where somebody asks for that.
    """

    lists: bool
    prices: bool


class ListingQuerySet(models.QuerySet["Listing"]):
    def refresh(self, product_ids: Sequence[UUID]) -> Refreshed:
        """Make the listing of these products what their rows say now; two statements.

        Called in the transaction of whoever changed something of them. The products' rows are
        locked first, in the order of their ids, and read by a statement of its own: so of two who
        change the prices of two variants at once, the second sees what the first one did.
        """
        if not product_ids:
            return Refreshed(lists=False, prices=False)
        ids = list(product_ids)
        connection_of("products").fetch(listing_sql.LOCK, [ids])
        [(lists, prices)] = connection_of("products").fetch(listing_sql.refresh_text(), [ids])
        return Refreshed(lists=lists, prices=prices)

    def refresh_prices(self, product_ids: Sequence[UUID]) -> bool:
        """The same for nothing but what they cost everybody, and cards that lists bar. Whether
        what they cost turned."""
        ids = list(product_ids)
        connection_of("products").fetch(listing_sql.LOCK, [ids])
        [(turned,)] = connection_of("products").fetch(listing_price_sql.REFRESH_PRICES, [ids])
        return bool(turned)

    def refresh_availability(self, variant_ids: Sequence[UUID]) -> bool:
        """The same for nothing but whether there is anything left of them. Whether that turned of
        any variant."""
        if not variant_ids:
            return False
        ids = list(variant_ids)
        Product.objects.lock_of_variants(ids)
        return bool(connection_of("products").fetch(listing_sql.AVAILABILITY, [ids]))

    def popularity_due(self, *, today: date) -> list[tuple[UUID, int]]:
        """The products whose popularity is not what the demand of the last days sums up to, and
        what that is."""
        params = [today - timedelta(days=listing_demand_sql.POPULAR_DAYS)]
        return connection_of("products").fetch(listing_demand_sql.POPULARITY, params)

    def set_popularity(self, popularity: Sequence[tuple[UUID, int]]) -> int:
        """By product. What others have in hand is left for the next time. Returns how many were
        set."""
        ids, units = zip(*popularity, strict=True)
        params = [list(ids), list(units)]
        return len(connection_of("products").fetch(listing_demand_sql.SET_POPULARITY, params))

    def add_demand(self, units: Mapping[tuple[UUID, date], int]) -> None:
        """units: by variant and day."""
        rows = sorted((day, variant_id, n) for (variant_id, day), n in units.items())
        if rows:
            days, variant_ids, counts = zip(*rows, strict=True)
            params = [list(variant_ids), list(days), list(counts)]
            connection_of("products").fetch(listing_demand_sql.DEMAND, params)

    def forget_demand(self, *, since: date | None, until: date | None) -> None:
        connection_of("products").fetch(listing_demand_sql.FORGET_DEMAND, [since, until])

    def forget_old_demand(self, *, today: date) -> bool:
        """Delete a batch of what popularity no longer counts. Whether there may be more."""
        sql, at_most = listing_demand_sql.FORGET_OLD_DEMAND, listing_demand_sql.FORGOTTEN_AT_ONCE
        before = today - timedelta(days=listing_demand_sql.POPULAR_DAYS)
        return len(connection_of("products").fetch(sql, [before, at_most])) == at_most

    def forget_words(self) -> None:
        """Drop the words and options that no product on sale has any more.

        While anybody lists products nothing is dropped: they may have found a word there already,
        and nobody else sees yet that they need it.
        """
        fetch = connection_of("products").fetch
        # It reads the listing as a whole, which no time for single requests is meant for.
        fetch(listing_words_sql.NO_TIMEOUT, [])
        words = [lexeme for (lexeme,) in fetch(listing_words_sql.SPARE_WORDS, [])]
        codes = [code for (code,) in fetch(listing_words_sql.SPARE_OPTIONS, [])]
        [(nobody_lists,)] = fetch(listing_words_sql.TRY_WORDS, [])
        if nobody_lists:
            fetch(listing_words_sql.FORGET_WORDS, [words, words])
            if codes:
                fetch(listing_words_sql.FORGET_OPTIONS, [codes])

    def count_words(self) -> int:
        """Bring up to date how many products have each word. Returns of how many it changed."""
        connection_of("products").fetch(listing_words_sql.NO_TIMEOUT, [])
        return len(connection_of("products").fetch(listing_words_sql.COUNT_WORDS, []))


class Listing(models.Model):
    """One product on sale.

    sort_name: its name in lower case and without accents; lists are sorted by it.
    popularity: how many of it orders asked for lately.
    available: whether there is something left of any of its variants, or was a moment ago.
    partly: whether there is something left of some of them, and nothing of others.
    identifiers: its names, SKUs and barcodes, in the form of sort_name.
    tokens: `<code>=<value>` of every attribute and option that can be filtered by.
    names: the words of its names in all locales. document: all words; those of names, SKUs and
    barcodes have weight A, of attributes B, of categories C.
    """

    product = models.OneToOneField(
        Product, primary_key=True, on_delete=models.PROTECT, related_name="+"
    )
    sort_name = models.TextField(db_collation="C")
    created_at = models.DateTimeField()
    popularity = models.BigIntegerField(default=0)
    available = models.BooleanField()
    partly = models.BooleanField()
    category_ids = ArrayField(models.UUIDField())
    tokens = ArrayField(models.TextField())
    identifiers = ArrayField(models.TextField())
    names = SearchVectorField()
    document = SearchVectorField()

    objects = ListingQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["sort_name", "product"], name="products_listed_by_name"),
            models.Index(fields=["created_at", "product"], name="products_listed_by_age"),
            models.Index(fields=["popularity", "product"], name="products_listed_by_sales"),
            # One index for all: what several of them ask for together is found in one go. Readers
            # go through what is not sorted into it yet, so that is kept short.
            GinIndex(
                fields=["document", "names", "identifiers", "tokens", "category_ids"],
                name="products_listed_with",
                gin_pending_list_limit=256,
            ),
        ]

    def __str__(self) -> str:
        return self.sort_name


class ListingVariant(models.Model):
    """What a variant on sale is filtered by, so that several filters can be of one and the same.

    tokens, numbers: its own and those of its product, as Listing and ListingNumber have them; the
    numbers by code. available: whether there is something left of it, or was a moment ago.
    """

    variant = models.OneToOneField(
        Variant, primary_key=True, on_delete=models.PROTECT, related_name="+"
    )
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="+", db_index=False)
    available = models.BooleanField()
    tokens = ArrayField(models.TextField())
    numbers = models.JSONField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["product", "variant"], name="products_listed_variants"),
        ]

    def __str__(self) -> str:
        return str(self.variant_id)


class ListingPrice(models.Model):
    """What the cheapest variant of a product on sale costs everybody, per currency: by the price
    lists that hold for everybody, and the base, as they were when they were turned last."""

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="+", db_index=False)
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["product", "currency"], name="products_listingprice_unique"
            ),
        ]
        indexes = [
            models.Index(
                fields=["currency", "amount_minor", "product"], name="products_listed_by_price"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product_id}: {self.amount_minor} {self.currency}"


class ListingCard(models.Model):
    """What lists show of a product on sale in a currency, as long as nobody changes it.

    There is none where no variant has a base price in the currency, or one of them turns by itself,
    depends on the quantity, or is reduced where price lists have one too: those are read from the
    aggregates. Prices of other lists, and
    whether something is left of a variant, are asked for with each page.

    names: in locales that have one of their own. image: the first picture, as `picture` says it;
    alts: its texts in locales that have one. variants: JSON for each of variant_ids, in the order
    they are shown, up to its `available`.
    """

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="+", db_index=False)
    currency = models.CharField(max_length=3)
    slug = models.TextField()
    name = models.TextField()
    names = models.JSONField()
    image = models.JSONField(null=True)
    alts = models.JSONField()
    variant_ids = ArrayField(models.UUIDField())
    variants = ArrayField(models.TextField())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["product", "currency"], name="products_listingcard_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} in {self.currency}"


class ListingNumber(models.Model):
    """A number, or a date as the days since 1970, that products can be filtered by."""

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="+", db_index=False)
    code = models.CharField(max_length=64)
    value = models.FloatField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["product", "code", "value"], name="products_listingnumber_unique"
            ),
        ]
        indexes = [
            models.Index(fields=["code", "value", "product"], name="products_listed_by_number"),
        ]

    def __str__(self) -> str:
        return f"{self.product_id}: {self.code} {self.value}"


class ListingDemand(models.Model):
    """How many units of a product orders asked for on a day (UTC). Popularity sums them up; it is
    deleted once that counts it no more."""

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="+", db_index=False)
    day = models.DateField()
    units = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["product", "day"], name="products_listingdemand_unique"
            ),
        ]
        indexes = [models.Index(fields=["day"], name="products_listingdemand_day")]

    def __str__(self) -> str:
        return f"{self.product_id}: {self.units} on {self.day}"


class ListingOption(models.Model):
    """A name that variants' options have, such as "Colour", and the code to filter by it."""

    code = models.TextField(primary_key=True)
    name = models.TextField()

    def __str__(self) -> str:
        return self.name


class ListingWord(models.Model):
    """A lexeme that occurs in products on sale, or did.

    head: also outside of descriptions; slips of the pen are only corrected to these.
    products: about how many products have it: as many as when the words were counted last.
    slip_keys: what it shares with words that are a slip or two away from it; see
    `listing_sql.slip_keys`. None for words that are never meant by a slip.
    """

    lexeme = models.TextField(primary_key=True, db_collation="C")
    head = models.BooleanField()
    products = models.IntegerField()
    slip_keys = ArrayField(models.TextField(db_collation="C"))

    class Meta:
        indexes = [
            GinIndex(
                fields=["slip_keys"],
                condition=models.Q(head=True),
                name="products_similar_words",
                fastupdate=False,
            ),
        ]

    def __str__(self) -> str:
        return self.lexeme
