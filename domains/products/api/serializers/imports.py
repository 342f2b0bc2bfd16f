"""What the routes of imports and exports take."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from domains.products.rules.imports.rows import Code, ProductRow, WarehouseCode
from infrastructure.http.types import Body, Currency, Query
from infrastructure.operations.bulk import MAX_ROWS, BulkBody

Mode = Literal["upsert", "create", "update"]


class ImportFile(Query, frozen=True, kw_only=True):
    """mode: `create` refuses what is there already, `update` what is not there yet."""

    mode: Mode = "upsert"
    dry_run: bool = False


class UpsertProducts(BulkBody, frozen=True, kw_only=True):
    items: Annotated[list[ProductRow], Meta(min_length=1, max_length=MAX_ROWS)]


class ExportFile(Body, frozen=True, kw_only=True):
    """Each kind has filters of its own; without `status`, archived products are left out."""

    format: Literal["csv", "jsonl"] = "csv"
    status: Annotated[list[Literal["draft", "active", "archived"]], Meta(max_length=3)] = []
    product_type: Code | None = None
    updated_since: Annotated[datetime, Meta(tz=True)] | None = None
    currency: Currency | None = None
    price_list: Code | None = None
    warehouse: WarehouseCode | None = None

    def filters(self) -> dict[str, Any]:
        given: dict[str, Any] = msgspec.to_builtins(self)
        return {name: value for name, value in given.items() if value and name != "format"}
