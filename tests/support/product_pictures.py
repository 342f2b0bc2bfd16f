"""Pictures of products: where they are stored, and what was told of them."""

from __future__ import annotations

import io
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import LazySettings

from domains.products.services import media
from infrastructure.database.contexts import alias_of
from infrastructure.outbox.models import OutboxMessage
from tests.support.factories import pictures

GRACE = timedelta(hours=73)


def use_folder(settings: LazySettings, folder: Path) -> Path:
    local = "infrastructure.public_files.folder.FolderStorage"
    media = {"BACKEND": local, "OPTIONS": {"location": str(folder)}}
    settings.STORAGES = {**settings.STORAGES, "media": media}
    return folder


def add(product_id: UUID, now: datetime, content: bytes | None = None, **fields: Any) -> UUID:
    file = io.BytesIO(pictures.picture() if content is None else content)
    return media.add_media(product_id=product_id, file=file, now=now, **fields)


def in_colour(number: int) -> bytes:
    return pictures.picture(width=40, height=30, colour=(number * 5 % 256, 90, 200))


def stored(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def told(product_id: UUID) -> list[list[str]]:
    messages = OutboxMessage.objects.using(alias_of("products"))
    found = messages.filter(key=str(product_id), name="products.product_updated").order_by("id")
    return [json.loads(message.payload)["changed"] for message in found]
