"""The list of orders, and the page of one with everything that can be done to it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from domains.orders.admin import doings, showing, telephone
from domains.orders.admin.contents import contents_of
from domains.orders.admin.fields import CANCELLED_FOR, choices_of_reasons
from domains.orders.admin.filters import (
    FulfilmentFilter,
    MethodFilter,
    PaymentFilter,
    PlacedBetween,
    ReturnFilter,
    SourceFilter,
    StatusFilter,
    ToDo,
    found_by,
)
from domains.orders.models import Order, OrderStep
from domains.orders.rules.history import By, Kind
from domains.orders.services import placement, previewing, settling
from domains.users import public as users
from infrastructure import clock
from infrastructure.aggregates import ConcurrentModification
from infrastructure.errors import DomainError
from infrastructure.previews import Would
from infrastructure.screens import SHORTCUTS, ScreenAdmin, Shortcut, version_in

_ORDERS = "admin:orders_order_changelist"
SHORTCUTS += [
    Shortcut(title="Orders", url=_ORDERS, scope="orders.read", rank=1),
    Shortcut(title="New order", url="admin:orders_order_add", scope=telephone.SCOPE, rank=4),
    Shortcut(title="To be sent", url=_ORDERS, scope="orders.read", rank=2, query="?todo=send"),
    Shortcut(title="Returns", url=_ORDERS, scope="orders.read", rank=3, query="?todo=return"),
]


class OrderList(ChangeList):
    """A page with the names of its customers, and how many of what: two statements more."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        ids = {order.customer_id for order in self.result_list if order.customer_id}
        names = users.display_names(ids) if ids else {}
        for order in self.result_list:
            order.customer_name = names.get(order.customer_id, "")


@admin.register(Order)
class OrderAdmin(ScreenAdmin):
    rank = 1
    reads, writes = "orders.read", "orders.cancel"
    list_display = (
        *("number", "placed", "customer", "total", "items", "state", "payment"),
        "fulfilment",
    )
    list_display_links = ("number",)
    list_filter = (
        ToDo,
        PlacedBetween,
        StatusFilter,
        PaymentFilter,
        FulfilmentFilter,
        ReturnFilter,
        SourceFilter,
        MethodFilter,
    )
    list_per_page = 50
    empty_value_display = ""
    search_fields = ("number",)
    search_help_text = (
        "The number of an order or invoice, an e-mail address, a SKU, a tracking number, or the id"
        " of an order or a customer."
    )
    ordering = ("-placed_at", "-id")
    actions = ("cancel", "settle")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.is_active and self.may(request, telephone.SCOPE)

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "orders.cancel")

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ChangeList]:
        return OrderList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Order]:
        waiting = OrderStep.objects.filter(order_id=OuterRef("pk"), state="AWAITING_APPROVAL")
        found = super().get_queryset(request).prefetch_related("line_rows")
        return found.annotate(awaits_approval=Exists(waiting))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Order], search_term: str
    ) -> tuple[QuerySet[Order], bool]:
        return found_by(queryset, search_term), False

    def get_urls(self) -> list[URLPattern]:
        def at(route: str, name: str) -> URLPattern:
            view = self.admin_site.admin_view(self.do)
            return path(route, view, name=f"orders_order_{name}")

        return [
            at("<uuid:object_id>/do/<slug:what>/", "do"),
            at("<uuid:object_id>/do/<slug:what>/<uuid:part_id>/", "do_part"),
            # For customers, who have no login here.
            path("confirmed/", back_from_bank, name="orders_order_confirmed"),
            *super().get_urls(),
        ]

    def describe(self, selected: Order) -> str:
        return f"{selected}: {selected.status}, {selected.total}"

    # The list

    @admin.display(description="placed (UTC)", ordering="placed_at")
    def placed(self, order: Order) -> str:
        return format_html(
            '<span class="nowrap">{}</span>', order.placed_at.strftime("%Y-%m-%d %H:%M")
        )

    @admin.display
    def customer(self, order: Any) -> str:
        name = order.customer_name or order.shipping_address.get("name", "")
        if order.customer_id is None:
            return format_html('{} <span class="quiet">guest</span>', name)
        return str(name)

    @admin.display(ordering="total_minor")
    def total(self, order: Order) -> str:
        return str(order.total).replace(" ", "\N{NO-BREAK SPACE}")

    @admin.display(description="status", ordering="status")
    def state(self, order: Any) -> str:
        told = showing.badge(order.status)
        if order.awaits_approval:
            told += format_html(' <span class="tag draft">{}</span>', "Needs approval")
        return told

    @admin.display(ordering="payment_status")
    def payment(self, order: Order) -> str:
        return showing.badge(order.payment_status)

    @admin.display(ordering="fulfilment_status")
    def fulfilment(self, order: Order) -> str:
        """With what has come back, or is to."""
        told = showing.badge(order.fulfilment_status)
        if order.return_status != "NONE":
            told += format_html(" {}", showing.badge(order.return_status))
        return told

    @admin.display
    def items(self, order: Order) -> str:
        return f"{sum(line.quantity for line in order.lines):,}"

    # A new one

    def changeform_view(  # type: ignore[override]
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponseBase:
        if object_id is not None:
            return super().changeform_view(request, object_id, form_url, extra_context)
        if not self.has_add_permission(request):
            raise PermissionDenied
        return self.add_page(request)

    def add_page(self, request: HttpRequest) -> HttpResponseBase:
        posted = request.POST if request.method == "POST" else None
        form = telephone.OrderForm(posted)
        me, back = UUID(str(request.user.pk)), way_back(request)
        order, comes_to, outdated = None, None, False
        if posted is not None and form.is_valid():
            with form.refusals():
                # Sent twice, it is answered with its order, whatever is in stock by now.
                if "confirm" in posted:
                    order = telephone.placed_before(form, placed_by=me, now=clock.now())
                if order is None:
                    comes_to, total = telephone.comes_to(
                        form, placed_by=me, return_url=back, now=clock.now()
                    )
                    if "confirm" in posted and posted.get("agreed") == comes_to.fingerprint:
                        order = telephone.place(
                            form, agreed=total, placed_by=me, return_url=back, now=clock.now()
                        )
                if order is not None:
                    waits = "waits for its payment" if order.pay_until else "is placed"
                    messages.success(request, f"Order {order.number} {waits}: {order.total}.")
                    return HttpResponseRedirect(self.address("change", order.pk))
                outdated = "confirm" in posted
        return self.shown(
            request,
            "orders/telephone.html",
            title="New order",
            form=form,
            comes_to=comes_to if form.is_valid() else None,
            outdated=outdated,
        )

    # One order

    def page_of(self, request: HttpRequest, found: Any) -> HttpResponseBase:
        if request.method == "POST":
            raise PermissionDenied
        order = Order.objects.whole(found.pk)
        return self.shown(
            request,
            "orders/order.html",
            title=f"Order {order.number}",
            **contents_of(order, user=request.user, now=clock.now()),
        )

    def do(
        self, request: HttpRequest, object_id: UUID, what: str, part_id: UUID | None = None
    ) -> HttpResponseBase:
        """A page that asks what exactly, says what it would come to, and then does it."""
        kind = doings.KINDS.get(what)
        if kind is None or (kind.has_part and part_id is None):
            raise Http404
        found = self.found(request, object_id)
        if not doings.may(request.user, kind):
            raise PermissionDenied
        order = Order.objects.whole(found.pk)
        posted = request.POST if request.method == "POST" else None
        try:
            doing = kind(
                order,
                posted,
                part_id,
                user=request.user,
                return_url=way_back(request),
                now=clock.now(),
            )
            about = doing.about()
        except DomainError as refusal:
            messages.error(request, refusal.detail or refusal.title)
            return HttpResponseRedirect(self.address("change", order.pk))
        comes_to: doings.Comes | None = None
        outdated = False
        form = doing.form
        if posted is not None:
            try:
                if "confirm" in posted and (before := doing.sent_before()):
                    messages.info(request, f"{order.number}: this was sent before, and {before}.")
                    return HttpResponseRedirect(self.address("change", order.pk))
                if form.is_valid():
                    if version_in(posted) != order.version:
                        return self._changed_meanwhile(request, order)
                    comes_to = doing.looked_at()
                    agreed = posted.get("agreed") == comes_to.fingerprint or not kind.is_previewed
                    if "confirm" in posted and agreed:
                        messages.success(request, f"{order.number}: {doing.confirm()}.")
                        return HttpResponseRedirect(self.address("change", order.pk))
                    outdated = "confirm" in posted
            except ConcurrentModification:
                return self._changed_meanwhile(request, order)
            except DomainError as refusal:
                form.refuse(refusal)
        return self.shown(
            request,
            "orders/doing.html",
            title=f"{kind.title}: order {order.number}",
            order=order,
            doing=doing,
            form=form,
            about=about,
            comes_to=comes_to if form.is_valid() else None,
            outdated=outdated,
            there=self.address("change", order.pk),
            media=self.media + form.media,
        )

    def _changed_meanwhile(self, request: HttpRequest, order: Order) -> HttpResponseRedirect:
        messages.error(
            request,
            f"Order {order.number} was changed meanwhile. Nothing was done; look at it again.",
        )
        return HttpResponseRedirect(self.address("change", order.pk))

    # Several orders

    @admin.action(description="Cancel selected orders", permissions=["cancel"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Order]) -> TemplateResponse | None:
        by = By(kind=Kind.STAFF, id=UUID(str(request.user.pk)))

        def called_off(order: Order, reason: str) -> str:
            ended = placement.cancel_order(
                order_id=order.id, reason=reason, actor=by, version=order.version, now=clock.now()
            )
            return ended.status.lower()

        return self.confirmed(
            request,
            queryset,
            called_off,
            title="Cancel orders",
            question="Release the goods of these orders and void their payments?",
            reasons=choices_of_reasons(*CANCELLED_FOR),
            preview=_would_cancel,
        )

    @admin.action(description="Settle selected orders now", permissions=["cancel"])
    def settle(self, request: HttpRequest, queryset: QuerySet[Order]) -> TemplateResponse | None:
        return self.confirmed(
            request,
            queryset,
            _settle,
            title="Settle orders now",
            question="Take what is left to do for these orders now, instead of when they are due?",
        )


def way_back(request: HttpRequest) -> str:
    """Where a customer comes back to from confirming a payment that staff began: the storefront's
    page, where there is one, which payments know."""
    if settings.PAYMENT_RETURN_URL:
        return ""
    return request.build_absolute_uri(reverse("admin:orders_order_confirmed"))


def back_from_bank(request: HttpRequest) -> HttpResponse:
    """Tells nothing of any order: whoever has the address may look."""
    return render(request, "orders/confirmed.html")


def _would_cancel(order: Order) -> Would:
    would = previewing.calling_off(order_id=order.id, now=clock.now())
    if would is None:
        return Would(told="it is cancelled already")
    held = {"let go": would.let_go} if would.let_go.amount_minor else {}
    return Would(amounts=held, counts={"units released": would.units})


def _settle(order: Order, reason: str) -> str:
    return settling.settle(order_id=order.id, now=clock.now()).status.lower()
