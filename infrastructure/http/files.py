"""Serves public files from their folder, where no proxy or CDN does."""

from __future__ import annotations

from http import HTTPStatus

from django.core.files.storage import storages
from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from infrastructure.http.errors import NotFound
from infrastructure.http.problems import problem
from infrastructure.http.requests import none_match
from infrastructure.public_files import CACHE_CONTROL, STORAGE, TYPES

# The only names there are: nothing that could lead elsewhere gets as far as the file system.
PATH = (
    r"^media/(?P<key>[0-9a-f]{2}/(?P<sha256>[0-9a-f]{64})"
    r"/(?:original|[1-9][0-9]{0,4})\.(?P<suffix>jpg|png|webp))$"
)


@require_safe
def public_file(request: HttpRequest, key: str, sha256: str, suffix: str) -> HttpResponseBase:
    headers = {"Cache-Control": CACHE_CONTROL, "ETag": f'"{key[3:]}"'}
    condition = request.META.get("HTTP_IF_NONE_MATCH")
    if condition and none_match(condition, headers["ETag"]):
        return HttpResponse(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    try:
        file = storages[STORAGE].open(key)
    except OSError:
        return problem(request, NotFound())
    return FileResponse(file, content_type=TYPES[suffix], headers=headers)
