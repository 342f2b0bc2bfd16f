"""Changes of many products at once, and of their prices."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.conf import settings
from django.http import HttpRequest
from django.utils.html import format_html

from domains.products.admin.bulk import Change, Selected, tell
from domains.products.admin.fields import actor_of, category_field
from domains.products.queries import staff
from domains.products.queries.prices import price_lists
from domains.products.services import prices, products, sheets
from infrastructure import clock
from infrastructure.errors import DomainError
from infrastructure.form_fields import PlainDecimalField
from infrastructure.screens import ServiceForm

# More are changed by an import, which an export of the same products can be turned into.
MOST_PRICES = 2000

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


class ProductChange(Change[Preview]):
    """thing: what is counted of them."""

    template, named = "products/bulk.html", "name"
    thing: ClassVar[str] = "products"

    def carry_out(
        self, request: HttpRequest, selected: Selected, said: dict[str, Any], preview: Preview
    ) -> bool:
        if request.POST.get("seen") != preview.fingerprint:
            return False
        refused = self.apply(selected, said, actor_of(request))
        done = preview.changing - max(len(refused) - preview.refused, 0)
        tell(request, f"{self.title}: {done:,} {self.thing} changed.", refused)
        return True

    @abstractmethod
    def apply(self, selected: Selected, said: dict[str, Any], actor_id: UUID) -> Sequence[str]:
        """The refusals of single products. Raises DomainError where nothing came of it."""


class _StatusForm(ServiceForm):
    status = forms.ChoiceField(label="New status", choices=list(_STATUS.items()))


class Statuses(ProductChange):
    title, form = "Change the status", _StatusForm

    def preview(self, selected: Selected, said: dict[str, Any]) -> Preview:
        changes = sheets.status_changes(
            product_ids=selected.keys, status=said["status"], now=clock.now()
        )
        return Preview(
            [Row(one.name, _STATUS[one.old], _STATUS[one.new], one.refusal) for one in changes]
        )

    def apply(self, selected: Selected, said: dict[str, Any], actor_id: UUID) -> Sequence[str]:
        done = sheets.change_statuses(
            product_ids=selected.keys, status=said["status"], now=clock.now()
        )
        return [f"{one.name}: {one.refusal}" for one in done if one.refusal]


class _CategoryForm(ServiceForm):
    category = category_field()


class Listings(ProductChange):
    form = _CategoryForm

    def __init__(self, *, add: bool) -> None:
        self.add = add
        self.title = (  # type: ignore[misc]
            "Put products into a category" if add else "Take products out of a category"
        )

    def preview(self, selected: Selected, said: dict[str, Any]) -> Preview:
        changes = sheets.listing_changes(
            product_ids=selected.keys, category_id=said["category"].pk, add=self.add
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

    def apply(self, selected: Selected, said: dict[str, Any], actor_id: UUID) -> Sequence[str]:
        products.relist_products(
            category_id=said["category"].pk,
            add=selected.keys if self.add else (),
            remove=() if self.add else selected.keys,
            now=clock.now(),
        )
        return [
            f"{row.name}: {row.refusal}" for row in self.preview(selected, said).rows if row.refusal
        ]


class _PercentForm(ServiceForm):
    percent = PlainDecimalField(
        min_value=-100,
        max_value=1000,
        max_digits=7,
        decimal_places=2,
        widget=forms.NumberInput(attrs={"step": "any", "class": "number"}),
        help_text="Such as 5 to raise prices, or -12.5 to lower them. Each price is rounded by"
        " itself; what lies halfway goes up.",
    )
    price_list = forms.ChoiceField(required=False)

    fields_of_codes = {"invalid_percentage": "percent", "amount_too_large": "percent"}

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


class Prices(ProductChange):
    title, form, thing = "Change prices by percent", _PercentForm, "prices"

    def preview(self, selected: Selected, said: dict[str, Any]) -> Preview:
        changes = prices.preview_percent_change(
            price_ids=self._prices(selected, said), percent=said["percent"], now=clock.now()
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

    def apply(self, selected: Selected, said: dict[str, Any], actor_id: UUID) -> Sequence[str]:
        prices.change_prices_by_percent(
            price_ids=self._prices(selected, said),
            percent=said["percent"],
            previewed=said["previewed"],
            actor_id=actor_id,
            now=clock.now(),
        )
        return ()

    def _prices(self, selected: Selected, said: dict[str, Any]) -> list[UUID]:
        found = staff.prices_of_products(
            selected.keys,
            currency=said["currency"],
            price_list=said["price_list"] or None,
            at_most=MOST_PRICES + 1,
        )
        if len(found) > MOST_PRICES:
            raise TooManyAtOnce(f"These products have more than {MOST_PRICES:,} prices.")
        return found
