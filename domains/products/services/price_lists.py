"""Commands of price lists and channels."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError

from domains.products.errors import InvalidCode, PriceListNotFound, PriceListTaken, UnknownChannel
from domains.products.models import Channel, PriceList
from domains.products.rules import tags
from domains.products.services import listing, shown
from infrastructure.database.contexts import alias_of, atomic, note_write
from infrastructure.database.violations import constraint_of
from infrastructure.http.idempotency import IdempotencyKey, duplicates

CHANNEL_CODE = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}", re.ASCII)


def create_price_list(
    *, code: str, now: datetime, idempotency: IdempotencyKey | None = None, **terms: Any
) -> UUID:
    """terms: those of PriceList.create. Raises PriceListTaken, UnknownChannel, InvalidValidity;
    Duplicate for a key that was used before."""
    _refuse_unknown_channel(terms.get("channel"))
    price_list = PriceList.create(code=code, now=now, **terms)
    try:
        # Whoever makes it in a transaction of their own can go on after a refusal.
        with atomic("products"), duplicates():
            price_list.save(
                also=[] if idempotency is None else [idempotency.record(price_list.id, now)]
            )
    except IntegrityError as error:
        if constraint_of(error) != "products_pricelist_code_unique":
            raise
        raise PriceListTaken(f"There is a price list {code} already.") from error
    return price_list.id


def edit_price_list(*, code: str, version: int | None, now: datetime, **terms: Any) -> PriceList:
    """Change what is given. `version`: the one the change is based on, None for whatever it is.

    Raises PriceListNotFound, UnknownChannel, InvalidValidity, ConcurrentModification.
    """
    with atomic("products"):
        lists = PriceList.objects.using(alias_of("products")).select_for_update(no_key=True)
        price_list: PriceList | None = lists.filter(code=code).first()
        if price_list is None:
            raise PriceListNotFound(f"There is no price list {code}.")
        price_list.require_version(version)
        _refuse_unknown_channel(terms.get("channel"))
        rank = price_list.rank_for_everybody
        price_list.edit(now=now, **terms)
        if price_list.has_changes:
            price_list.save()
            shown.hint(tags.PRICE_LISTS)
        if price_list.rank_for_everybody != rank:
            listing.refresh_in_price_lists(list_ids=[price_list.id])
    return price_list


def turn_due_lists(*, now: datetime) -> None:
    """Let lists of products follow those price lists for everybody whose window has begun or ended.
    What is shown does not wait for it."""
    with atomic("products"):
        listing.refresh_in_price_lists(list_ids=PriceList.objects.turn_due(now=now))


def name_channel(*, code: str, name: str) -> Channel:
    """Make a channel, or give it another name. Raises InvalidCode."""
    if not CHANNEL_CODE.fullmatch(code):
        raise InvalidCode(f"{code!r} is no code.")
    note_write(alias_of("products"))
    channel, _ = Channel.objects.using(alias_of("products")).update_or_create(
        code=code, defaults={"name": name}
    )
    return channel


def _refuse_unknown_channel(code: str | None) -> None:
    if code is not None and not Channel.objects.filter(pk=code).exists():
        raise UnknownChannel(f"There is no channel {code}.")
