"""The admin site: what staff do every day comes first, and choices say where they belong."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.http import HttpRequest, QueryDict
from django.http.response import HttpResponseBase

View = TypeVar("View", bound=Callable[..., HttpResponseBase])

# Of screens that say nothing about it; daily work is below, machinery above.
ORDINARY = 100


def _without_nul(parameters: QueryDict) -> QueryDict:
    cleaned = QueryDict(mutable=True)
    for name, texts in parameters.lists():
        cleaned.setlist(name.replace("\0", ""), [text.replace("\0", "") for text in texts])
    return cleaned


class _Choices(AutocompleteJsonView):
    def serialize_result(self, obj: Any, to_field_name: str) -> dict[str, str]:
        describe = getattr(self.model_admin, "describe", str)
        return {**super().serialize_result(obj, to_field_name), "text": describe(obj)}


class StaffSite(AdminSite):
    site_header = site_title = "Kontor"
    index_title = "What would you like to do?"
    site_url = "/api/docs/"
    # Lists need the width; `shortcuts` are at the top of every page instead.
    enable_nav_sidebar = False

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """By the `rank` of each screen, an app by the smallest of its screens."""
        apps = super().get_app_list(request, app_label)
        for app in apps:
            app["models"].sort(key=self._rank)
        return sorted(apps, key=lambda app: (self._rank(app["models"][0]), app["name"]))

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        """Parameters come without NUL, which no text in Postgres has: nothing is found by it."""
        checked = super().admin_view(view, cacheable)

        @wraps(checked)
        def cleaned(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            if "%00" in request.META.get("QUERY_STRING", ""):
                request.GET = _without_nul(request.GET)  # type: ignore[assignment]
            return checked(request, *args, **kwargs)

        return cast(View, cleaned)

    def autocomplete_view(self, request: HttpRequest) -> Any:
        return _Choices.as_view(admin_site=self)(request)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        from infrastructure.screens import shortcuts_for

        return {**super().each_context(request), "shortcuts": shortcuts_for(request)}

    def _rank(self, listed: dict[str, Any]) -> int:
        return int(getattr(self._registry[listed["model"]], "rank", ORDINARY))


class StaffSiteConfig(AdminConfig):
    default_site = "infrastructure.staff_site.StaffSite"
