"""A batch of prices, of the base list and of others."""

from __future__ import annotations

from collections.abc import Sequence

from domains.products.errors import VariantNotFound
from domains.products.models import Price, PriceList, Variant
from domains.products.models.price_set import PriceKey
from domains.products.rules.imports.reading import Item
from domains.products.rules.imports.rows import PriceRow
from domains.products.services.imports.terms import Refused, Terms, money_of, refuse
from domains.products.services.prices import save_prices
from infrastructure.errors import DomainError


def write(items: Sequence[Item], terms: Terms) -> None:
    """Rows of one price are taken in their order."""
    rows: list[PriceRow] = [item.value for item in items]
    skus = {row.sku for row in rows}
    variants = {variant.sku: variant for variant in Variant.objects.filter(sku__in=skus)}
    codes = {row.price_list for row in rows if row.price_list is not None}
    lists = {found.code: found for found in PriceList.objects.filter(code__in=codes)}
    asked = [_key(row, variants, lists) for row in rows]
    keys = {key for key in asked if key is not None}
    prices = Price.objects.locked(sorted(keys, key=str), now=terms.now) if keys else {}
    for item, key in zip(items, asked, strict=True):
        row: PriceRow = item.value
        try:
            if key is None:
                raise _unknown(row, lists)
            if key not in prices:
                prices[key] = Price.empty(
                    variant_id=key[0],
                    sku=row.sku,
                    currency=row.currency,
                    price_list=lists[row.price_list] if row.price_list else None,
                    now=terms.now,
                )
            item.id = key[0]
            item.outcome = "changed" if set_price(prices[key], row, terms) else "unchanged"
        except DomainError as refusal:
            refuse(item, refusal)
    save_prices(prices.values())


def _key(
    row: PriceRow, variants: dict[str, Variant], lists: dict[str, PriceList]
) -> PriceKey | None:
    """None where the SKU or the list is not there."""
    if row.sku not in variants:
        return None
    if row.price_list is None:
        return variants[row.sku].id, row.currency, None
    if row.price_list not in lists or lists[row.price_list].currency != row.currency:
        return None
    return variants[row.sku].id, row.currency, lists[row.price_list].id


def _unknown(row: PriceRow, lists: dict[str, PriceList]) -> Refused:
    if row.price_list is not None and row.price_list not in lists:
        detail = f"There is no price list {row.price_list}."
        return Refused("unknown_price_list", detail, "/price_list")
    if row.price_list is not None and lists[row.price_list].currency != row.currency:
        detail = f"{row.price_list} is a list in {lists[row.price_list].currency}."
        return Refused("other_currency", detail, "/currency")
    return Refused(VariantNotFound.code, f"There is no SKU {row.sku}.", "/sku")


def set_price(price: Price, row: PriceRow, terms: Terms) -> bool:
    """Whether it was not asked for already. Raises DomainError."""
    money = money_of(row.amount, row.currency, "/amount")
    before = price.entries_recorded
    price.set(
        amount_minor=money.amount_minor,
        kind=row.kind,
        min_quantity=row.min_quantity,
        from_at=row.valid_from,
        until_at=row.valid_until,
        actor_id=terms.actor_id,
        now=terms.now,
    )
    return price.entries_recorded != before
