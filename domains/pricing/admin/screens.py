"""What the screens of pricing share: what is archived is shown as it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase

from infrastructure.screens import ScreenAdmin


class KeptFilter(admin.SimpleListFilter):
    """What is archived is not shown unasked."""

    title = "kept"
    parameter_name = "kept"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("archived", "Archived"), ("all", "All")]

    def choices(self, changelist: Any) -> Any:
        for chosen, title in ((None, "Current"), *self.lookup_choices):
            yield {
                "selected": self.value() == chosen,
                "query_string": changelist.get_query_string(
                    {self.parameter_name: chosen} if chosen else {},
                    [] if chosen else [self.parameter_name],
                ),
                "display": title,
            }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "all":
            return queryset
        return queryset.filter(archived_at__isnull=self.value() != "archived")


class PricingScreen(ScreenAdmin):
    reads, writes = "pricing.read", "pricing.write"
    actions: Sequence[str] = ("archive_selected",)

    def archive(self, found: Any) -> None:
        """Put one away, by its service."""
        raise TypeError(f"{type(self).__name__} does not say how.")

    @admin.action(description="Archive", permissions=["change"])
    def archive_selected(
        self, request: HttpRequest, queryset: QuerySet[Any]
    ) -> HttpResponseBase | None:
        def command(found: Any, reason: str) -> str:
            self.archive(found)
            return "archived"

        return self.confirmed(
            request,
            queryset,
            command,
            title="Archive",
            question="They hold no more, for good. Orders keep what they got.",
        )

    def saved(self, request: HttpRequest, what: str, where: str | None = None) -> HttpResponseBase:
        messages.success(request, f"{what} is saved.")
        return HttpResponseRedirect(where or self.address("changelist"))
