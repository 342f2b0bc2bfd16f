"""Changes of many products at once: what is wanted, what it would come to, and then the change."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.html import format_html

from domains.products.admin.fields import actor_of, category_field
from domains.products.queries import staff
from domains.products.queries.prices import price_lists
from domains.products.services import prices, products, sheets
from infrastructure import clock
from infrastructure.errors import DomainError
from infrastructure.screens import ScreenAdmin, ServiceForm

# Larger changes are made by an import, which an export of the same products can be turned into.
MOST_PRODUCTS = 500
MOST_PRICES = 2000
# Refusals that are told one by one afterwards.
MOST_TOLD = 20

_STATUS = {"draft": "Draft", "active": "On sale", "archived": "Archived"}


def tag(status: str) -> str:
    return format_html('<span class="tag {}">{}</span>', status, _STATUS[status])


@dataclass(frozen=True, slots=True)
class Row:
    """refusal: why nothing comes of it; empty where something does."""

    name: str
    old: str
    new: str
    refusal: str = ""

    @property
    def changes(self) -> bool:
        return not self.refusal and self.old != self.new


@dataclass(frozen=True, slots=True)
class Preview:
    rows: Sequence[Row] = field(default_factory=tuple)

    @property
    def fingerprint(self) -> str:
        """Of what somebody agrees to: it is asked again where it has become something else."""
        return hashlib.sha256(repr(self.rows).encode()).hexdigest()

    @property
    def changing(self) -> int:
        return sum(row.changes for row in self.rows)

    @property
    def refused(self) -> int:
        return sum(bool(row.refusal) for row in self.rows)

    @property
    def same(self) -> int:
        return len(self.rows) - self.changing - self.refused


class Change:
    """What is done with many products. form: what has to be said of it first."""

    title: ClassVar[str]
    form: ClassVar[type[ServiceForm]]
    thing: ClassVar[str] = "products"

    def preview(self, ids: Sequence[UUID], said: dict[str, Any]) -> Preview:
        """Raises DomainError where nothing can come of it at all."""
        raise AssertionError(f"{type(self)} has no preview")

    def apply(self, ids: Sequence[UUID], said: dict[str, Any], actor_id: UUID) -> Sequence[str]:
        """The refusals of single products. Raises DomainError where nothing came of it."""
        raise AssertionError(f"{type(self)} does nothing")


def carry_out(
    screen: ScreenAdmin, request: HttpRequest, queryset: QuerySet[Any], change: Change
) -> TemplateResponse | None:
    """Ask, show, and do it; None once it is done."""
    found = list(queryset.order_by("name", "pk").values_list("pk", "name")[: MOST_PRODUCTS + 1])
    is_cut, found = len(found) > MOST_PRODUCTS, found[:MOST_PRODUCTS]
    ids = [pk for pk, _ in found]
    step = request.POST.get("step", "")
    form = change.form(request.POST if step else None)
    preview, outdated = None, False
    if step and form.is_valid():
        with form.refusals():
            preview = change.preview(ids, form.cleaned_data)
            if step == "apply" and request.POST.get("seen") == preview.fingerprint:
                refused = change.apply(ids, form.cleaned_data, actor_of(request))
                _tell(request, change, preview, refused)
                return None
            outdated = step == "apply"
    return screen.shown(
        request,
        "products/bulk.html",
        title=change.title,
        change=change,
        form=form,
        preview=preview if form.is_valid() else None,
        outdated=outdated,
        selected=found,
        is_cut=is_cut,
        most=MOST_PRODUCTS,
        action=request.POST["action"],
        back=request.get_full_path(),
        media=screen.media + form.media,
    )


def _tell(request: HttpRequest, change: Change, preview: Preview, refused: Sequence[str]) -> None:
    done = preview.changing - max(len(refused) - preview.refused, 0)
    messages.success(request, f"{change.title}: {done:,} {change.thing} changed.")
    for sentence in refused[:MOST_TOLD]:
        messages.error(request, sentence)
    if len(refused) > MOST_TOLD:
        messages.error(request, f"{len(refused) - MOST_TOLD:,} more were refused.")


class _StatusForm(ServiceForm):
    status = forms.ChoiceField(label="New status", choices=list(_STATUS.items()))


class Statuses(Change):
    title, form = "Change the status", _StatusForm

    def preview(self, ids: Sequence[UUID], said: dict[str, Any]) -> Preview:
        changes = sheets.status_changes(product_ids=ids, status=said["status"], now=clock.now())
        return Preview(
            [Row(one.name, _STATUS[one.old], _STATUS[one.new], one.refusal) for one in changes]
        )

    def apply(self, ids: Sequence[UUID], said: dict[str, Any], actor_id: UUID) -> Sequence[str]:
        done = sheets.change_statuses(product_ids=ids, status=said["status"], now=clock.now())
        return [f"{one.name}: {one.refusal}" for one in done if one.refusal]


class _CategoryForm(ServiceForm):
    category = category_field()


class Listings(Change):
    form = _CategoryForm

    def __init__(self, *, add: bool) -> None:
        self.add = add
        self.title = (  # type: ignore[misc]
            "Put products into a category" if add else "Take products out of a category"
        )

    def preview(self, ids: Sequence[UUID], said: dict[str, Any]) -> Preview:
        changes = sheets.listing_changes(
            product_ids=ids, category_id=said["category"].pk, add=self.add
        )
        return Preview(
            [
                Row(
                    one.name,
                    ", ".join(one.old) or "in no category",
                    ", ".join(one.new) or "in no category",
                    one.refusal,
                )
                for one in changes
            ]
        )

    def apply(self, ids: Sequence[UUID], said: dict[str, Any], actor_id: UUID) -> Sequence[str]:
        products.relist_products(
            category_id=said["category"].pk,
            add=ids if self.add else (),
            remove=() if self.add else ids,
            now=clock.now(),
        )
        return [f"{row.name}: {row.refusal}" for row in self.preview(ids, said).rows if row.refusal]


class _PercentForm(ServiceForm):
    percent = forms.DecimalField(
        min_value=-100,
        max_value=1000,
        max_digits=7,
        decimal_places=2,
        widget=forms.NumberInput(attrs={"step": "any", "class": "number"}),
        help_text="Such as 5 to raise prices, or -12.5 to lower them. Each price is rounded by"
        " itself; what lies halfway goes up.",
    )
    price_list = forms.ChoiceField(required=False)

    fields_of_codes = {"invalid_percentage": "percent"}

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        self.currencies = {one.code: one.currency for one in price_lists().order_by("code")}
        choice: Any = self.fields["price_list"]
        choice.choices = [
            ("", f"Base prices ({settings.DEFAULT_CURRENCY})"),
            *((code, f"{code} ({currency})") for code, currency in self.currencies.items()),
        ]

    def clean(self) -> None:
        code = self.cleaned_data.get("price_list") or None
        self.cleaned_data["currency"] = self.currencies[code] if code else settings.DEFAULT_CURRENCY


class TooManyAtOnce(DomainError):
    """More prices than one page may change; choose fewer products, or import a file."""

    code, title = "too_many_at_once", "That is too much at once"


class Prices(Change):
    title, form, thing = "Change prices by percent", _PercentForm, "prices"

    def preview(self, ids: Sequence[UUID], said: dict[str, Any]) -> Preview:
        changes = prices.preview_percent_change(
            price_ids=self._prices(ids, said), percent=said["percent"], now=clock.now()
        )
        said["previewed"] = prices.digest_of(changes)
        return Preview(
            [
                Row(
                    one.sku if one.min_quantity == 1 else f"{one.sku}, from {one.min_quantity} on",
                    str(one.old),
                    str(one.new),
                )
                for one in changes
            ]
        )

    def apply(self, ids: Sequence[UUID], said: dict[str, Any], actor_id: UUID) -> Sequence[str]:
        prices.change_prices_by_percent(
            price_ids=self._prices(ids, said),
            percent=said["percent"],
            previewed=said["previewed"],
            actor_id=actor_id,
            now=clock.now(),
        )
        return ()

    def _prices(self, ids: Sequence[UUID], said: dict[str, Any]) -> list[UUID]:
        found = staff.prices_of_products(
            ids,
            currency=said["currency"],
            price_list=said["price_list"] or None,
            at_most=MOST_PRICES + 1,
        )
        if len(found) > MOST_PRICES:
            raise TooManyAtOnce(f"These products have more than {MOST_PRICES:,} prices.")
        return found
