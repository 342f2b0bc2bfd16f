"""The catalogue over HTTP."""

from __future__ import annotations

from typing import Any

from django.test import Client

from infrastructure.database.contexts import alias_of
from infrastructure.outbox.models import OutboxMessage

PRODUCTS = "/api/v1/products"
CATEGORIES = "/api/v1/categories"


def post(client: Client, path: str, body: Any, **headers: str) -> Any:
    return client.post(path, body, content_type="application/json", headers=headers)


def patch(client: Client, path: str, body: Any, **headers: str) -> Any:
    return client.patch(path, body, content_type="application/json", headers=headers)


def facts() -> list[str]:
    messages = OutboxMessage.objects.using(alias_of("products")).filter(topic="product-events")
    return list(messages.order_by("id").values_list("name", flat=True))


def names(answer: Any) -> list[str]:
    return [item["name"] for item in answer.json()["items"]]
