"""The places that goods lie in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from django.apps import AppConfig
from django.db import models
from django.db.models.signals import post_migrate

from domains.products.errors import (
    MainWarehouseNeeded,
    UnknownWarehouse,
    WarehouseInactive,
    WarehouseNotEmpty,
)
from infrastructure.aggregates import AggregateQuerySet, AggregateRoot
from infrastructure.database.contexts import alias_of, connection_of

MAIN_WAREHOUSE = "main"

# A warehouse is closed under the lock that excludes this one, so nothing is moved into a place
# that is being closed.
_KEEP_OPEN = """
SELECT code, active FROM products_warehouse WHERE code = ANY(%s::text[]) ORDER BY code FOR SHARE
"""


class WarehouseQuerySet(AggregateQuerySet):
    def keep_open(self, codes: Iterable[str]) -> None:
        """Make sure that goods may be moved in these until the transaction ends.

        To be called before stock rows are locked. The main warehouse is always open and costs
        nothing. Raises UnknownWarehouse, WarehouseInactive.
        """
        asked = sorted(set(codes) - {MAIN_WAREHOUSE})
        if not asked:
            return
        found = dict(connection_of("products").fetch(_KEEP_OPEN, [asked]))
        for code in asked:
            if code not in found:
                raise UnknownWarehouse(f"There is no warehouse {code}.")
            if not found[code]:
                raise WarehouseInactive(f"The warehouse {code} is closed.")


class Warehouse(AggregateRoot):
    """A place that goods lie in. The main one always exists and is always open.

    A closed one is empty and takes nothing in; it stays, since the ledger names it.
    address: where it is, for people; no personal data.
    """

    code = models.CharField(primary_key=True, max_length=32)
    name = models.CharField(max_length=200)
    address = models.CharField(max_length=500, blank=True)
    active = models.BooleanField(default=True)

    objects = WarehouseQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name

    # Factories

    @classmethod
    def open(cls, *, code: str, name: str, address: str = "") -> Self:
        return cls(code=code, name=name, address=address)

    # Commands

    def describe(self, *, name: str | None = None, address: str | None = None) -> None:
        """Correct what people read of it. None: as it is."""
        self.name = self.name if name is None else name
        self.address = self.address if address is None else address

    def reopen(self) -> None:
        self.active = True

    def close(self, *, is_empty: bool) -> None:
        """Take nothing in any more. Raises MainWarehouseNeeded, WarehouseNotEmpty."""
        if self.code == MAIN_WAREHOUSE:
            raise MainWarehouseNeeded("The main warehouse cannot be closed.")
        if not is_empty:
            raise WarehouseNotEmpty(f"There still is stock in {self.code}; move it first.")
        self.active = False


def ensure_main_warehouse(sender: AppConfig, using: str, **kwargs: Any) -> None:
    # After `migrate`, and after every flush of a test: no code relies on rows made by migrations.
    if using == alias_of("products") and not Warehouse.objects.filter(pk=MAIN_WAREHOUSE).exists():
        Warehouse.objects.add_all([Warehouse.open(code=MAIN_WAREHOUSE, name="Main warehouse")])


def connect_reference_rows(config: AppConfig) -> None:
    post_migrate.connect(ensure_main_warehouse, sender=config)
