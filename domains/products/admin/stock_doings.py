"""What staff do about the stock of one SKU: a form for each, and the command that it calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import HttpRequest

from domains.products.admin.fields import actor_of, quantity_field
from domains.products.models import MAIN_WAREHOUSE, StockItem
from domains.products.queries.stock import open_warehouses
from domains.products.rules import stock as rules
from domains.products.services import inventory
from infrastructure import clock
from infrastructure.database.contexts import alias_of
from infrastructure.errors import DomainError
from infrastructure.form_fields import LineField
from infrastructure.http.idempotency import Duplicate, IdempotencyKey, find, fingerprint_of
from infrastructure.ids import new_id
from infrastructure.screens import ServiceForm


class AdjustmentForm(ServiceForm):
    delta = forms.IntegerField(
        min_value=-rules.MAX_QUANTITY,
        max_value=rules.MAX_QUANTITY,
        label="Add or take away",
        help_text="How many to add; below zero to take away.",
    )
    warehouse = forms.ChoiceField(required=False)
    reason = LineField(max_length=200)
    # Sending the page twice adjusts once.
    token = forms.UUIDField(widget=forms.HiddenInput)

    fields_of_codes = {
        "negative_stock": "delta",
        "invalid_quantity": "delta",
        "warehouse_inactive": "warehouse",
    }

    def __init__(self, data: Any = None, **options: Any) -> None:
        super().__init__(data, **{"initial": {"token": new_id()}} | options)
        _offer_warehouses(self, "warehouse")


class CountForm(ServiceForm):
    on_hand = quantity_field(label="Counted")
    warehouse = forms.ChoiceField()
    change_from = quantity_field(widget=forms.HiddenInput)
    reason = LineField(max_length=200, initial="count")

    fields_of_codes = {"warehouse_inactive": "warehouse"}


class TransferForm(ServiceForm):
    quantity = quantity_field(min_value=1)
    from_warehouse = forms.ChoiceField(label="From")
    to_warehouse = forms.ChoiceField(label="To")
    reason = LineField(max_length=200)
    token = forms.UUIDField(widget=forms.HiddenInput)

    fields_of_codes = {
        "negative_stock": "quantity",
        "invalid_quantity": "quantity",
        "same_warehouse": "to_warehouse",
    }

    def __init__(self, data: Any = None, **options: Any) -> None:
        super().__init__(data, **{"initial": {"token": new_id()}} | options)
        _offer_warehouses(self, "from_warehouse", "to_warehouse")
        to: Any = self.fields["to_warehouse"]
        to.initial = next((code for code, _ in to.choices if code != MAIN_WAREHOUSE), None)


class SettingsForm(ServiceForm):
    backorder_limit = quantity_field(
        label="Backorders", help_text="How many more may be promised than there are."
    )
    low_stock_threshold = quantity_field(
        required=False,
        label="Running low at",
        help_text="Staff are told when no more than this can be promised. Empty: never.",
    )
    reason = LineField(max_length=200)
    seen_limit = quantity_field(widget=forms.HiddenInput)
    seen_threshold = quantity_field(required=False, widget=forms.HiddenInput)


def _offer_warehouses(form: forms.Form, *names: str) -> None:
    choices = open_warehouses()
    for name in names:
        field: Any = form.fields[name]
        field.choices = choices
        field.initial = MAIN_WAREHOUSE
        if len(choices) == 1 and len(names) == 1:
            field.widget = forms.HiddenInput()


@dataclass(frozen=True, kw_only=True, slots=True)
class Doing:
    """Something that can be done with a SKU. command: given its SKU and what the form says."""

    what: str
    title: str
    button: str
    form: ServiceForm
    command: Callable[[str, dict[str, Any], HttpRequest], str]


def doings_of(item: StockItem, what: str, posted: Any) -> list[Doing]:
    """The one that was sent is filled with what was sent."""

    def sent(name: str) -> Any:
        return posted if what == name else None

    adjustment = AdjustmentForm(sent("adjust"), prefix="adjust")
    found = [
        Doing(
            what="adjust",
            title="Add or take away",
            button="Adjust",
            form=adjustment,
            command=adjust,
        )
    ]
    levels = {level.warehouse_id: level.on_hand for level in item.levels}
    choices = open_warehouses()
    for code, name in choices:
        key, there = f"count-{code}", levels.get(code, 0)
        initial = {"on_hand": there, "change_from": there, "warehouse": code}
        count = CountForm(sent(key), prefix=key, initial=initial)
        place: Any = count.fields["warehouse"]
        place.choices, place.widget = [(code, name)], forms.HiddenInput()
        title = "Record a count" if len(choices) == 1 else f"Record a count in {name}"
        found.append(Doing(what=key, title=title, button="Record", form=count, command=_count))
    if len(choices) > 1:
        transfer = TransferForm(sent("transfer"), prefix="transfer")
        found.append(
            Doing(
                what="transfer",
                title="Transfer",
                button="Transfer",
                form=transfer,
                command=_transfer,
            )
        )
    settings = SettingsForm(
        sent("settings"),
        prefix="settings",
        initial={
            "backorder_limit": item.backorder_limit,
            "low_stock_threshold": item.low_stock_threshold,
            "seen_limit": item.backorder_limit,
            "seen_threshold": item.low_stock_threshold,
        },
    )
    found.append(
        Doing(
            what="settings",
            title="Settings",
            button="Save",
            form=settings,
            command=_configure,
        )
    )
    return found


def adjust(sku: str, asked: dict[str, Any], request: HttpRequest) -> str:
    with once(request, f"admin adjust {sku}", asked) as key:
        adjusted = inventory.adjust_stock(
            sku=sku,
            delta=asked["delta"],
            reason=asked["reason"],
            warehouse=asked["warehouse"] or MAIN_WAREHOUSE,
            actor_id=actor_of(request),
            now=clock.now(),
            idempotency=key,
        )
    return f"{asked['delta']:+}, now {adjusted.on_hand} on hand"


def _count(sku: str, asked: dict[str, Any], request: HttpRequest) -> str:
    counted = inventory.count_stock(
        sku=sku,
        on_hand=asked["on_hand"],
        change_from=asked["change_from"],
        reason=asked["reason"],
        warehouse=asked["warehouse"],
        actor_id=actor_of(request),
        now=clock.now(),
    )
    return f"counted {asked['on_hand']}, now {counted.on_hand} on hand in all"


def _transfer(sku: str, asked: dict[str, Any], request: HttpRequest) -> str:
    with once(request, f"admin transfer {sku}", asked) as key:
        inventory.transfer_stock(
            sku=sku,
            quantity=asked["quantity"],
            from_warehouse=asked["from_warehouse"],
            to_warehouse=asked["to_warehouse"],
            reason=asked["reason"],
            actor_id=actor_of(request),
            now=clock.now(),
            idempotency=key,
        )
    return f"{asked['quantity']} carried to {asked['to_warehouse']}"


def _configure(sku: str, asked: dict[str, Any], request: HttpRequest) -> str:
    inventory.configure_stock(
        sku=sku,
        settings={
            "backorder_limit": asked["backorder_limit"],
            "low_stock_threshold": asked["low_stock_threshold"],
        },
        change_from={
            "backorder_limit": asked["seen_limit"],
            "low_stock_threshold": asked["seen_threshold"],
        },
        reason=asked["reason"],
        actor_id=actor_of(request),
        now=clock.now(),
    )
    return "the settings are saved"


@contextmanager
def once(request: HttpRequest, route: str, asked: dict[str, Any]) -> Iterator[IdempotencyKey]:
    """Around a command, for a form that may be sent twice. Raises Duplicate the second time, also
    where by then the command itself would be refused."""
    key = _key(request, route, asked)
    try:
        yield key
    except DomainError as refusal:
        if find(alias_of("products"), key) is not None:
            raise Duplicate("That was recorded already.") from refusal
        raise


def _key(request: HttpRequest, route: str, asked: dict[str, Any]) -> IdempotencyKey:
    said = sorted((name, str(value)) for name, value in asked.items() if name != "token")
    return IdempotencyKey(
        client=f"user:{request.user.pk}",
        route=route,
        key=str(asked["token"]),
        fingerprint=fingerprint_of(said),
    )
