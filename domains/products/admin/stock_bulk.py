"""An adjustment of many SKUs: asked, previewed, agreed to, done."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest
from django.template.defaultfilters import pluralize

from domains.products.admin.bulk import Change, Selected, tell
from domains.products.admin.fields import actor_of
from domains.products.admin.stock_doings import AdjustmentForm, once
from domains.products.errors import StockChanged
from domains.products.models import MAIN_WAREHOUSE
from domains.products.services.adjusting import (
    Adjustment,
    adjust_stock_of_many,
    preview_adjustments,
)
from infrastructure import clock
from infrastructure.http.idempotency import Duplicate
from infrastructure.ids import new_id
from infrastructure.screens import ServiceForm


@dataclass(frozen=True, slots=True)
class Preview:
    warehouse: str
    rows: Sequence[Adjustment]

    @property
    def fingerprint(self) -> str:
        """Of what somebody agrees to. How much is held is not in it, as buyers change that all the
        time; only whether it is more than there would be."""
        agreed = [(row.sku, row.there, row.then, row.is_short, row.refusal) for row in self.rows]
        return hashlib.sha256(repr((self.warehouse, agreed)).encode()).hexdigest()

    @property
    def possible(self) -> list[Adjustment]:
        return [row for row in self.rows if not row.refusal]

    @property
    def changing(self) -> int:
        return len(self.possible)

    @property
    def refused(self) -> list[Adjustment]:
        return [row for row in self.rows if row.refusal]

    @property
    def short(self) -> int:
        return sum(row.is_short for row in self.rows)


class Adjusting(Change[Preview]):
    title, form, template = "Adjust the stock", AdjustmentForm, "products/adjust_stock.html"
    named = "sku"

    def preview(self, selected: Selected, said: dict[str, Any]) -> Preview:
        warehouse = said["warehouse"] or MAIN_WAREHOUSE
        rows = preview_adjustments(
            skus=selected.names, delta=said["delta"], warehouse=warehouse, now=clock.now()
        )
        return Preview(warehouse, rows)

    def carry_out(
        self, request: HttpRequest, selected: Selected, said: dict[str, Any], preview: Preview
    ) -> bool:
        try:
            with once(request, "admin adjust many", said) as key:
                if request.POST.get("seen") != preview.fingerprint:
                    raise StockChanged("That is not what was shown.")
                adjust_stock_of_many(
                    believed={row.sku: row.there for row in preview.possible},
                    delta=said["delta"],
                    reason=said["reason"],
                    warehouse=preview.warehouse,
                    actor_id=actor_of(request),
                    now=clock.now(),
                    idempotency=key,
                )
        except StockChanged:
            return False
        except Duplicate as twice:
            messages.success(request, twice.detail)
            return True
        done = preview.changing
        tell(
            request,
            f"{done:,} SKU{pluralize(done)} adjusted by {said['delta']:+,}.",
            [f"{row.sku}: {row.refusal}" for row in preview.refused],
        )
        return True

    def show_again(self, form: ServiceForm) -> None:
        """What is agreed to next is another adjustment than what this page was sent for."""
        form.reissue(token=new_id())
