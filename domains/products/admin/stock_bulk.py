"""An adjustment of many SKUs: asked, previewed, agreed to, done."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse

from domains.products.admin.fields import actor_of
from domains.products.admin.stock_doings import AdjustmentForm, once
from domains.products.errors import StockChanged
from domains.products.models import MAIN_WAREHOUSE, StockItem
from domains.products.services.adjusting import (
    Adjustment,
    adjust_stock_of_many,
    preview_adjustments,
)
from infrastructure import clock
from infrastructure.http.idempotency import Duplicate
from infrastructure.screens import ScreenAdmin

# Larger changes are made by an import of stock.
MOST_SKUS = 500
# Refusals that are told one by one afterwards.
MOST_TOLD = 20


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
    def refused(self) -> list[Adjustment]:
        return [row for row in self.rows if row.refusal]

    @property
    def short(self) -> int:
        return sum(row.is_short for row in self.rows)


def adjust_many(
    screen: ScreenAdmin, request: HttpRequest, queryset: QuerySet[StockItem]
) -> TemplateResponse | None:
    """Ask, show, and do it; None once it is done."""
    selected = list(queryset.order_by("sku").values_list("pk", "sku")[: MOST_SKUS + 1])
    is_cut, selected = len(selected) > MOST_SKUS, selected[:MOST_SKUS]
    skus = [sku for _, sku in selected]
    step = request.POST.get("step", "")
    form = AdjustmentForm(request.POST if step else None)
    preview, outdated = None, False
    if step and form.is_valid():
        with form.refusals():
            preview = _preview(skus, form.cleaned_data)
            if step == "apply" and _done(request, form.cleaned_data, preview):
                return None
            outdated = step == "apply"
            preview = _preview(skus, form.cleaned_data) if outdated else preview
        # What is agreed to next is another adjustment than what this page was sent for.
        form.renew()
    return screen.shown(
        request,
        "products/adjust_stock.html",
        title="Adjust the stock",
        form=form,
        preview=preview if form.is_valid() else None,
        outdated=outdated,
        selected=selected,
        is_cut=is_cut,
        most=MOST_SKUS,
        action=request.POST["action"],
        back=request.get_full_path(),
    )


def _preview(skus: Sequence[str], asked: dict[str, Any]) -> Preview:
    warehouse = asked["warehouse"] or MAIN_WAREHOUSE
    delta = asked["delta"]
    return Preview(
        warehouse,
        preview_adjustments(skus=skus, delta=delta, warehouse=warehouse, now=clock.now()),
    )


def _done(request: HttpRequest, asked: dict[str, Any], preview: Preview) -> bool:
    """Do what was agreed to, and tell. False where it has become something else."""
    try:
        with once(request, "admin adjust many", asked) as key:
            if request.POST.get("seen") != preview.fingerprint:
                raise StockChanged("That is not what was shown.")
            adjust_stock_of_many(
                believed={row.sku: row.there for row in preview.possible},
                delta=asked["delta"],
                reason=asked["reason"],
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
    done = len(preview.possible)
    messages.success(
        request, f"{done:,} SKU{'s' if done > 1 else ''} adjusted by {asked['delta']:+,}."
    )
    for row in preview.refused[:MOST_TOLD]:
        messages.error(request, f"{row.sku}: {row.refusal}")
    if len(preview.refused) > MOST_TOLD:
        messages.error(request, f"{len(preview.refused) - MOST_TOLD:,} more were refused.")
    return True
