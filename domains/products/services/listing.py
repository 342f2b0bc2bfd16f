"""The read model behind lists, kept in step where no command does it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from itertools import count
from uuid import UUID

from domains.products.models import CategoryCount, Listing, ListingDue, ListingWord, Product
from domains.products.models.listing_sql import BATCH
from domains.products.rules import tags
from domains.products.services import shown
from infrastructure.database.contexts import alias_of, atomic
from infrastructure.database.threads import in_threads
from infrastructure.work import hint_after_commit


def refresh_products(product_ids: Sequence[UUID]) -> None:
    """List these products anew, in the transaction of whoever changed something of them. What shows
    them is not shown any more, and other lists only go where they may have become others. In the
    order of their ids, in which they are locked, so many at a time as one statement should write.
    """
    ids = sorted(set(product_ids))
    for start in range(0, len(ids), BATCH):
        batch = ids[start : start + BATCH]
        found = Listing.objects.refresh(batch)
        turned = ((tags.LISTS, found.lists), (tags.PRICES, found.prices))
        shown.hint(*(tag for tag, has in turned if has), *tags.of_products(batch))


def refresh_prices(product_ids: Sequence[UUID]) -> None:
    """The same for nothing but what they cost everybody."""
    ids = sorted(set(product_ids))
    for start in range(0, len(ids), BATCH):
        if Listing.objects.refresh_prices(ids[start : start + BATCH]):
            shown.hint(tags.PRICES)


def rebuild_listing(
    *, now: datetime, threads: int = 1, progress: Callable[[int, int], None] | None = None
) -> int:
    """Make the listing of all products anew, in batches of one transaction each.

    Lists can be read meanwhile, and products edited. threads: how many batches at once, each on a
    connection of its own. progress: called with how many are done and how many there are.
    Returns how many.
    """
    ids = list(
        Product.objects.using(alias_of("products")).order_by("pk").values_list("pk", flat=True)
    )
    # A shop's first listing leaves no word over, and looking for some reads all documents.
    had_words = ListingWord.objects.using(alias_of("products")).exists()
    done = count()

    def refresh_batch(start: int) -> None:
        with atomic("products"):
            refresh_products(ids[start : start + BATCH])
        if progress is not None:
            progress(min((next(done) + 1) * BATCH, len(ids)), len(ids))

    starts = range(0, len(ids), BATCH)
    if threads > 1:
        in_threads(refresh_batch, starts, threads=threads)
    else:
        for start in starts:
            refresh_batch(start)
    if had_words:
        with atomic("products"):
            Listing.objects.forget_words()
    count_words()
    with atomic("products"):
        CategoryCount.objects.recount()
    refresh_popularity(now=now)
    return len(ids)


def count_words() -> int:
    """Count how many products have each word; of words that look alike, those that more have are
    meant. Returns of how many it was another number."""
    with atomic("products"):
        return Listing.objects.count_words()


def refresh_popularity(*, now: datetime) -> int:
    """Bring popularity up to date with the demand of the last days, and delete what is older, in
    batches of one transaction each. Returns how many changed."""
    today = now.date()
    while _forget_old_demand(today):
        pass
    due = Listing.objects.popularity_due(today=today)
    changed = 0
    for start in range(0, len(due), BATCH):
        with atomic("products"):
            changed += Listing.objects.set_popularity(due[start : start + BATCH])
    return changed


def _forget_old_demand(today: date) -> bool:
    with atomic("products"):
        return Listing.objects.forget_old_demand(today=today)


def refresh_in_categories(*, category_ids: Sequence[UUID]) -> None:
    """These categories are called something else. Lists of few products know at once, those of
    many a little later. The caller is in a transaction."""
    if not ListingDue.objects.refresh_in_categories(category_ids, refresh_products):
        hint_after_commit("products", "products.refresh_due_listings")


def refresh_of_type(*, product_type_id: UUID) -> None:
    """The attributes of a type have changed. Otherwise the same."""
    if not ListingDue.objects.refresh_of_type(product_type_id, refresh_products):
        hint_after_commit("products", "products.refresh_due_listings")


def refresh_in_price_lists(*, list_ids: Sequence[UUID]) -> None:
    """These lists hold for others now, or rank otherwise. Lists filter and sort by that a little
    later. The caller is in a transaction."""
    if list_ids:
        ListingDue.objects.note_price_lists(list_ids)
        hint_after_commit("products", "products.refresh_due_listings")


def refresh_next() -> bool:
    """Refresh a batch of the listings that are due, in a transaction of its own. Returns whether
    there was any."""
    with atomic("products"):
        return ListingDue.objects.refresh_next(refresh_products, refresh_prices)


def count_categories() -> None:
    """Count the products of all categories anew after one was hung elsewhere; else only keep what
    was counted in few rows."""
    with atomic("products"):
        CategoryCount.objects.fold()
        if CategoryCount.objects.is_stale():
            CategoryCount.objects.recount()


def refresh_availability(*, variant_ids: Iterable[UUID]) -> None:
    """The availability of some variants turned."""
    with atomic("products"):
        list_availability(sorted(set(variant_ids)))


def list_availability(variant_ids: Sequence[UUID]) -> None:
    """The same in the transaction of whoever changed their stock, whose rows are locked first."""
    if Listing.objects.refresh_availability(variant_ids):
        # Said again when it is so: what told of it may have been handled already.
        shown.hint(tags.AVAILABILITY)


def add_demand(*, units: Mapping[tuple[UUID, date], int]) -> None:
    """Orders asked for so many more units of these variants on these days."""
    with atomic("products"):
        Listing.objects.add_demand(units)


def forget_demand(*, since: date | None, until: date | None) -> None:
    """Of the days from `since` to before `until`, None for an open end."""
    with atomic("products"):
        Listing.objects.forget_demand(since=since, until=until)
