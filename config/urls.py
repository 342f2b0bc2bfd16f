"""Where everything is mounted. Contexts say their own paths below /api/v1/."""

from __future__ import annotations

from importlib.util import find_spec

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("infrastructure.http.urls")),
    path("", include("infrastructure.auth.urls")),
    path(settings.ADMIN_PATH.lstrip("/"), admin.site.urls),
    *(
        path("api/v1/", include(f"domains.{context}.api.urls"))
        for context in settings.CONTEXTS
        if find_spec(f"domains.{context}.api") and find_spec(f"domains.{context}.api.urls")
    ),
]
