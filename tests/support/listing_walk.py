"""Commands on the catalogue in any order."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from domains.products.errors import EntryEnded, InvalidProduct, LastVariant, ProductArchived
from domains.products.events import StockAvailabilityChanged
from domains.products.handlers import refresh_availability_of_listings
from domains.products.models import PriceEntry
from domains.products.models.variants import VariantChanges
from domains.products.public import NewProduct, NewVariant, create_products
from domains.products.rules.attributes import Kind, Level
from domains.products.rules.types import AttributeTerms, ChoiceTerms
from domains.products.services import (
    categories,
    inventory,
    listing,
    price_lists,
    prices,
    types,
    variants,
)
from domains.products.services import products as services
from domains.products.services.prices import NewPrice
from infrastructure.money import Money
from tests.support.factories import products

COLOUR = AttributeTerms(
    code="color",
    name="Colour",
    kind=Kind.CHOICE,
    choices=(ChoiceTerms(code="red", name="Red"), ChoiceTerms(code="blue", name="Blue")),
    filterable=True,
    level=Level.VARIANT,
)
WEIGHT = AttributeTerms(code="weight", name="Weight", kind=Kind.NUMBER, filterable=True)
RELEASED = AttributeTerms(code="released", name="Since", kind=Kind.DATE, filterable=True)


class Walk:
    """Commands of staff, one after the other, by chance."""

    def __init__(self, random: Random, now: datetime) -> None:
        self.random, self.now = random, now
        self.products: list[UUID] = []
        self.skus: list[str] = []
        self.categories: dict[str, UUID] = {}
        self.lists: list[tuple[str, str]] = []
        types.create_type(code="thing", name="Thing", attributes=(COLOUR, WEIGHT), now=now)
        for name in ("Home", "Garden"):
            self.categories[name.lower()] = products.category(name=name, now=now)
        self.steps: list[Callable[[], None]] = [
            *[self.create] * 3,
            *[self.edit] * 3,
            *[self.price] * 3,
            *[self.schedule] * 3,
            *[self.turn_prices] * 2,
            self.end_price,
            *[self.price_in_list] * 3,
            *[self.edit_list] * 2,
            *[self.stock] * 3,
            *[self.edit_variant] * 2,
            self.add_variant,
            self.archive,
            self.retire,
            self.rename_category,
            self.edit_type,
        ]
        self.create()

    def step(self) -> None:
        self.now += timedelta(minutes=1)
        with suppress(ProductArchived, LastVariant):
            self.random.choice(self.steps)()

    def create(self) -> None:
        random, number = self.random, len(self.skus)
        skus = [f"S{number + n}" for n in range(random.randint(1, 3))]
        self.skus += skus
        self.products += create_products(
            products=[
                NewProduct(
                    name=f"{random.choice(['Red', 'Große', 'Old'])} lantern {number}",
                    status=random.choice(["active", "active", "draft"]),
                    product_type=random.choice(["thing", None]),
                    categories=tuple(random.sample([*self.categories], random.randint(0, 2))),
                    texts={"de": {"name": "Laterne"}} if random.random() < 0.5 else {},
                    variants=tuple(
                        NewVariant(
                            sku=sku,
                            prices=(Money(random.randint(1, 9) * 100, "GBP"),),
                            options={"Size": f"{place}"},
                        )
                        for place, sku in enumerate(skus)
                    ),
                )
            ],
            now=self.now,
        )

    def edit(self) -> None:
        changes = self.random.choice(
            [
                {"name": f"Lamp {self.random.randint(1, 9)}"},
                {"status": "active"},
                {"status": "draft"},
                {"description": "Handmade of old windows."},
                {"texts": {"de": {"name": "Lampe"}}},
                {"texts": {"de": None}},
                {"categories": ["garden"]},
                {"product_type": "thing", "attributes": {"weight": self.random.randint(1, 500)}},
            ]
        )
        services.edit_product(
            product_id=self.random.choice(self.products), version=None, now=self.now, **changes
        )

    def price(self) -> None:
        currency = self.random.choice(["GBP", "EUR"])
        money = Money(self.random.randint(1, 999), currency)
        prices.set_prices(
            prices=[NewPrice(sku=self.random.choice(self.skus), money=money)],
            actor_id=None,
            now=self.now,
        )

    def schedule(self) -> None:
        """A price that turns by itself, or depends on the quantity."""
        random, minutes = self.random, timedelta(minutes=1)
        start = random.choice([None, self.now + random.randint(1, 9) * minutes])
        money = Money(random.randint(1, 999), random.choice(["GBP", "EUR"]))
        new = NewPrice(
            sku=random.choice(self.skus),
            money=money,
            kind=random.choice(["regular", "sale"]),
            min_quantity=random.choice([1, 1, 1, 10]),
            valid_from=start,
            valid_until=(start or self.now) + random.randint(1, 9) * minutes,
        )
        prices.set_prices(prices=[new], actor_id=None, now=self.now)

    def price_in_list(self) -> None:
        """Of a list that there is, or of a new one."""
        random = self.random
        if len(self.lists) < 3 and random.random() < 0.5:
            currency = random.choice(["GBP", "EUR"])
            self.lists.append((f"list{len(self.lists)}", currency))
            code, currency = self.lists[-1]
            price_lists.create_price_list(
                code=code, name=code, currency=currency, now=self.now, **self._list_terms()
            )
        if self.lists:
            code, currency = random.choice(self.lists)
            money = Money(random.randint(1, 999), currency)
            new = NewPrice(sku=random.choice(self.skus), money=money, price_list=code)
            prices.set_prices(prices=[new], actor_id=None, now=self.now)

    def edit_list(self) -> None:
        if self.lists:
            code, _ = self.random.choice(self.lists)
            price_lists.edit_price_list(code=code, version=None, now=self.now, **self._list_terms())
            self._refresh_due()

    def turn_prices(self) -> None:
        price_lists.turn_due_lists(now=self.now)
        prices.turn_due_prices(now=self.now)
        self._refresh_due()

    def _list_terms(self) -> dict[str, Any]:
        random, minutes = self.random, timedelta(minutes=1)
        start = random.choice([None, self.now + random.randint(1, 9) * minutes])
        end = random.choice([None, (start or self.now) + random.randint(1, 9) * minutes])
        return {
            "priority": random.randint(0, 2),
            "customer_group": random.choice(["", "", "trade"]),
            "active": random.random() < 0.8,
            "valid_from": start,
            "valid_until": end,
        }

    def _refresh_due(self) -> None:
        while listing.refresh_next():
            pass

    def end_price(self) -> None:
        entry = self.random.choice(list(PriceEntry.objects.order_by("id").select_related("price")))
        sku, currency = entry.price.sku, entry.price.currency
        with suppress(EntryEnded):
            if self.random.random() < 0.5:
                prices.cancel_price(sku=sku, entry_id=entry.id, actor_id=None, now=self.now)
            else:
                prices.withdraw_price(
                    sku=sku, currency=currency, price_list=None, actor_id=None, now=self.now
                )

    def stock(self) -> None:
        sku = self.random.choice(self.skus)
        inventory.set_stock(
            levels={sku: self.random.choice([0, 0, 5])}, reason="count", now=self.now
        )
        turned = StockAvailabilityChanged(
            variant_id=products.variant_id(sku), sku=sku, available=True, occurred_at=self.now
        )
        refresh_availability_of_listings([turned])

    def edit_variant(self) -> None:
        random = self.random
        changes: VariantChanges = random.choice(
            [
                VariantChanges(name=f"Number {random.randint(1, 9)}"),
                VariantChanges(options={"Size": f"X{random.randint(1, 999)}"}),
                VariantChanges(position=random.randint(0, 3)),
                VariantChanges(unit=random.choice(["piece", "g"])),
                VariantChanges(barcode=random.choice(["", "4006381333931"])),
                VariantChanges(retired=False),
            ]
        )
        with suppress(InvalidProduct):
            variants.edit_variant(
                sku=random.choice(self.skus), version=None, now=self.now, **changes
            )

    def add_variant(self) -> None:
        number = len(self.skus)
        new = NewVariant(
            sku=f"S{number}",
            name=f"Another {number}",
            prices=(Money(self.random.randint(1, 9) * 100, "EUR"),),
            options={"Size": f"N{number}"},
        )
        variants.add_variants(
            product_id=self.random.choice(self.products),
            version=None,
            variants=[new],
            actor_id=None,
            now=self.now,
        )
        self.skus.append(new.sku)

    def archive(self) -> None:
        services.archive_product(
            product_id=self.random.choice(self.products), version=None, now=self.now
        )

    def retire(self) -> None:
        variants.retire_variant(sku=self.random.choice(self.skus), version=None, now=self.now)

    def rename_category(self) -> None:
        categories.edit_category(
            category_id=self.random.choice([*self.categories.values()]),
            version=None,
            name=f"Place {self.random.randint(1, 9)}",
            now=self.now,
        )

    def edit_type(self) -> None:
        attributes = self.random.choice([(COLOUR, WEIGHT), (COLOUR, WEIGHT, RELEASED)])
        with suppress(types.ProductTypeInUse):
            types.edit_type(code="thing", version=None, attributes=attributes, now=self.now)
