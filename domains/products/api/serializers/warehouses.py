"""What the warehouse routes take and answer."""

from __future__ import annotations

from typing import Annotated, Self

from msgspec import UNSET, Meta, UnsetType

from domains.products.api.serializers.inventory import WarehouseCode
from domains.products.models import Warehouse as WarehouseRow
from infrastructure.http.types import Body, Out, PageQuery, ShortText

Address = Annotated[
    str, Meta(max_length=500, description="Where it is, for people; no personal data.")
]


class WarehousesQuery(PageQuery, frozen=True, kw_only=True):
    pass


class OpenWarehouse(Body, frozen=True, kw_only=True):
    code: WarehouseCode
    name: ShortText
    address: Address = ""


class EditWarehouse(Body, frozen=True, kw_only=True):
    """active: false closes it, once it is empty; true opens it again."""

    name: ShortText | UnsetType = UNSET
    address: Address | UnsetType = UNSET
    active: bool | UnsetType = UNSET


class Warehouse(Out, frozen=True, kw_only=True):
    code: str
    name: str
    address: str
    active: bool

    @classmethod
    def of(cls, row: WarehouseRow) -> Self:
        return cls(code=row.code, name=row.name, address=row.address, active=row.active)
