"""What the catalogue is measured against: servers that answer the same bytes to every request.

`bare` is a WSGI function and nothing else; `django` is a Django view behind no middleware at all,
`django_common` one behind those that `startproject` lists. The bytes are those of FIXED_BODY, a
file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.urls import re_path

BODY = Path(os.environ["FIXED_BODY"]).read_bytes()
JSON = "application/json"

_COMMON = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
_HEADERS = [("Content-Type", JSON), ("Content-Length", str(len(BODY)))]


def bare(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", _HEADERS)
    return [BODY]


def answer(request: HttpRequest) -> HttpResponse:
    return HttpResponse(BODY, content_type=JSON)


urlpatterns = [re_path("", answer)]


def _application(middleware: list[str]) -> WSGIHandler:
    import django

    settings.configure(
        ALLOWED_HOSTS=["*"],
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
        ],
        MESSAGE_STORAGE="django.contrib.messages.storage.cookie.CookieStorage",
        MIDDLEWARE=middleware,
        ROOT_URLCONF=__name__,
        SECRET_KEY=os.environ["SECRET_KEY"],
    )
    django.setup()
    return WSGIHandler()


def __getattr__(name: str) -> Any:
    # Made when the server asks for it: a process has one set of settings.
    if name == "django":
        return _application([])
    if name == "django_common":
        return _application(_COMMON)
    raise AttributeError(name)
