"""The API's own description: the OpenAPI document and its page for people."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.http import require_safe
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularSwaggerSplitView

from infrastructure.http.openapi.document import document_json


@require_safe
def openapi(request: HttpRequest) -> HttpResponse:
    return HttpResponse(document_json(), content_type="application/json")


documentation = SpectacularSwaggerSplitView.as_view(
    url_name="openapi", template_name="infrastructure/swagger.html", authentication_classes=[]
)

urlpatterns = [
    path("api/v1/openapi.json", openapi, name="openapi"),
    path("api/docs/", documentation, name="documentation"),
    # What people type. Nothing of the API is redirected: a client would lose its body.
    path("api/docs", RedirectView.as_view(pattern_name="documentation")),
]
