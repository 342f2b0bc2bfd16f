"""Moving money over HTTP."""

from __future__ import annotations

from typing import Any

from django.test import Client


def post(client: Client, path: str, body: object = None, key: str = "") -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return client.post(f"/api/v1{path}", body, content_type="application/json", headers=headers)
