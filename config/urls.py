"""Where everything is mounted. Contexts say their own paths below /api/v1/."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.generic import RedirectView

from infrastructure.http.files import PATH, public_file
from infrastructure.http.routing import RoutesBySegment

_of_contexts = [
    route
    for context in reversed(settings.CONTEXTS)
    if find_spec(f"domains.{context}.api") and find_spec(f"domains.{context}.api.urls")
    for route in import_module(f"domains.{context}.api.urls").urlpatterns
]
urlpatterns: list[URLPattern | URLResolver] = [
    RoutesBySegment("api/v1/", _of_contexts),
    path("", include("infrastructure.operations.api.urls")),
    path("", include("infrastructure.http.urls")),
    path("", include("infrastructure.auth.urls")),
    path(settings.ADMIN_PATH.lstrip("/"), admin.site.urls),
    path(settings.ADMIN_PATH.strip("/"), RedirectView.as_view(pattern_name="admin:index")),
]
if not settings.S3_MEDIA_BUCKET:
    urlpatterns.append(re_path(PATH, public_file, name="public-file"))
