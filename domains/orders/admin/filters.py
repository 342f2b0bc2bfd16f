"""What the list of orders is narrowed by."""

from __future__ import annotations

from enum import StrEnum
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest

from domains.orders.admin.showing import words
from domains.orders.models import Document, Fulfilment, Order, OrderLine, OrderStep, Return
from domains.orders.models.order_set import SENT_UNPAID
from domains.orders.rules.invoices import Kind as DocumentKind
from domains.orders.rules.numbers import is_order_number
from domains.orders.rules.placement import FulfilmentStatus, ReturnStatus, Source, Status
from domains.orders.rules.steps import ReturnState, StepState
from domains.payments.public import PaymentStatus
from domains.users import public as users
from infrastructure.screens import DateRangeFilter


class ToDo(admin.SimpleListFilter):
    """What staff look for in the morning."""

    title = "to do"
    parameter_name = "todo"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("send", "To be sent"),
            ("unpaid", "Sent, not yet paid"),
            ("approve", "Waits for a second person"),
            ("return", "A return to decide or receive"),
            ("unsettled", "Being settled"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        match self.value():
            case "send":
                return queryset.filter(status="CONFIRMED").exclude(fulfilment_status="FULFILLED")
            case "unpaid":
                return queryset.filter(SENT_UNPAID)
            case "approve":
                waiting = OrderStep.objects.filter(
                    order_id=OuterRef("pk"), state=StepState.AWAITING_APPROVAL
                )
                return queryset.filter(Exists(waiting))
            case "return":
                to_decide = (ReturnState.REQUESTED, ReturnState.APPROVED, ReturnState.RECEIVED)
                announced = Return.objects.filter(order_id=OuterRef("pk"), state__in=to_decide)
                return queryset.filter(Exists(announced))
            case "unsettled":
                return queryset.filter(unsettled_since__isnull=False)
            case _:
                return queryset


class _OfStatus(admin.SimpleListFilter):
    """By a status, as people say it."""

    statuses: type[StrEnum]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(one.value, words(one.value)) for one in self.statuses]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        if self.value() not in {one.value for one in self.statuses}:
            return queryset
        return queryset.filter(**{str(self.parameter_name): self.value()})


class StatusFilter(_OfStatus):
    title, parameter_name, statuses = "status", "status", Status


class PaymentFilter(_OfStatus):
    """As it was last seen."""

    title, parameter_name, statuses = "payment", "payment_status", PaymentStatus


class FulfilmentFilter(_OfStatus):
    title, parameter_name, statuses = "fulfilment", "fulfilment_status", FulfilmentStatus


class ReturnFilter(_OfStatus):
    title, parameter_name, statuses = "returns", "return_status", ReturnStatus


class SourceFilter(_OfStatus):
    title, parameter_name, statuses = "source", "source", Source


class MethodFilter(admin.SimpleListFilter):
    """By the payment methods that the shop takes now; finding out which it ever took would read
    every order."""

    title, parameter_name = "payment method", "payment_method"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(one, words(one)) for one in sorted(settings.PAYMENT_METHODS)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        return queryset.filter(payment_method=self.value()) if self.value() else queryset


class PlacedBetween(DateRangeFilter):
    title, field = "day placed (UTC)", "placed_at"


class IssuedBetween(DateRangeFilter):
    title, field = "day of issue", "issue_date"


class KindFilter(_OfStatus):
    title, parameter_name, statuses = "kind", "kind", DocumentKind


def found_by(orders: QuerySet[Order], text: str) -> QuerySet[Order]:
    """Orders by whatever somebody has in hand: the number of an order or invoice, an e-mail
    address, a SKU, a tracking number, the id of an order or a customer; typed in small letters,
    too, where it has capital ones."""
    text = text.strip()
    if not text:
        return orders
    if "@" in text:
        owner = users.id_of_email(text)
        guests = orders.filter(email_index=text)
        return guests if owner is None else guests | orders.filter(customer_id=owner)
    if is_order_number(text.upper()):
        return orders.filter(number=text.upper())
    try:
        key = UUID(text)
    except ValueError:
        # Each by its index; alternatives of one condition would be tried on every order.
        ways = {text, text.upper()}
        found = OrderLine.objects.filter(sku__in=ways).values("order_id")
        found = found.union(Fulfilment.objects.filter(tracking_number__in=ways).values("order_id"))
        found = found.union(Document.objects.filter(number__in=ways).values("order_id"))
        return orders.filter(pk__in=found)
    return orders.filter(pk=key) | orders.filter(customer_id=key)
