from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from infrastructure.auth.actor import Actor
from infrastructure.http import views
from infrastructure.http.openapi.document import document_json

ACTOR_ID = UUID("0198c7a1-b2c3-7d4e-8f90-a1b2c3d4e5f6")


@pytest.fixture(autouse=True)
def _sample_api(settings: Any) -> Iterator[None]:
    settings.ROOT_URLCONF = "tests.support.http"
    document_json.cache_clear()
    yield
    document_json.cache_clear()


@pytest.fixture
def api() -> Client:
    return Client(raise_request_exception=False)


@pytest.fixture
def signed_in(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Actor]:
    """Every request is from this caller; who that is, other tests find out from tokens."""

    def sign_in(*scopes: str) -> Actor:
        actor = Actor(id=ACTOR_ID, scopes=frozenset(scopes))
        monkeypatch.setattr(views, "authenticate", lambda request: actor)
        return actor

    return sign_in
