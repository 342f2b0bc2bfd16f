"""Idempotency-Key: a request sent twice has one effect; the second is answered from what the first
one made.

The record of a key is written in the same statement as the effect, and names what came of it. The
answer is not stored: it is rendered again from the subject, so it is never staler than the truth.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from django.db import IntegrityError, connections

from infrastructure.database.contexts import note_repetition
from infrastructure.database.violations import constraint_of
from infrastructure.errors import DomainError, InProgress
from infrastructure.http.errors import IdempotencyKeyReused, InvalidHeader
from infrastructure.http.models import IdempotencyRecord

HEADER = "Idempotency-Replayed"
KEPT_FOR = timedelta(hours=72)

T = TypeVar("T")

_CONSTRAINT = "platform_idempotency_once"
_VISIBLE = re.compile(r"[\x21-\x7e]{1,255}")
_encode = msgspec.json.Encoder(order="deterministic").encode


class Duplicate(InProgress):
    """Another request with the same key is ahead. Ask `find` what came of it."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail, headers={"Retry-After": "1"})


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A key as one client used it on one route, with the fingerprint of what it asked for."""

    client: str
    route: str
    key: str
    fingerprint: bytes

    def record(self, subject_id: UUID, now: datetime) -> IdempotencyRecord:
        """The row that says this key made `subject_id`; save it together with that."""
        return IdempotencyRecord(
            client=self.client,
            route=self.route,
            key=self.key,
            fingerprint=self.fingerprint,
            subject_id=subject_id,
            created_at=now,
        )


def key_of(header: str) -> str:
    """The key of an Idempotency-Key header, quoted as the draft has it or bare as many send it.

    Raises InvalidHeader unless it is 1 to 255 visible ASCII characters.
    """
    key = header.strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = re.sub(r'\\(["\\])', r"\1", key[1:-1])
    if not _VISIBLE.fullmatch(key):
        raise InvalidHeader("Idempotency-Key takes 1 to 255 visible ASCII characters.")
    return key


def fingerprint_of(body: object) -> bytes:
    """SHA-256 of a decoded body: spacing and the order of fields make no difference."""
    return hashlib.sha256(_encode(body)).digest()


def find(alias: str, key: IdempotencyKey) -> UUID | None:
    """What the key made before, or None. Raises IdempotencyKeyReused if it was for another body."""
    row = _row(alias, key)
    if row is None:
        return None
    fingerprint, subject_id = row
    if bytes(fingerprint) != key.fingerprint:
        raise IdempotencyKeyReused("This Idempotency-Key came with another body before.")
    return subject_id


def subject_of(alias: str, key: IdempotencyKey) -> UUID | None:
    """What the key made before, by whatever body, or None."""
    row = _row(alias, key)
    return None if row is None else row[1]


def _row(alias: str, key: IdempotencyKey) -> tuple[Any, UUID] | None:
    records = IdempotencyRecord.objects.using(alias)
    found = records.filter(client=key.client, route=key.route, key=key.key)
    return next(iter(found.values_list("fingerprint", "subject_id")), None)


def once(
    alias: str,
    key: IdempotencyKey | None,
    act: Callable[[], T],
    *,
    again: Callable[[UUID], T],
) -> tuple[T, dict[str, str]]:
    """What `act` makes, which writes the key's record with it. If an earlier request with the same
    key did that, what `again` makes of the record's subject. And the headers that say so.

    Raises IdempotencyKeyReused, Duplicate, and what `act` and `again` raise.
    """
    found = find(alias, key) if key is not None else None
    if found is None:
        try:
            with duplicates():
                return act(), {}
        except DomainError:
            # The twin that was faster may show in any refusal: the key is taken, or the SKU is.
            found = find(alias, key) if key is not None else None
            if found is None:
                raise
    return again(found), replayed(alias)


def replayed(alias: str) -> dict[str, str]:
    """The headers of an answer that repeats an earlier one, to a request that wrote there."""
    note_repetition(alias)
    return {HEADER: "true"}


@contextmanager
def duplicates() -> Iterator[None]:
    """Around the statement that writes a record: who comes second gets Duplicate."""
    try:
        yield
    except IntegrityError as error:
        if is_duplicate(error):
            raise Duplicate from error
        raise


def is_duplicate(error: IntegrityError) -> bool:
    return constraint_of(error) == _CONSTRAINT


def purge(alias: str, now: datetime, *, at_most: int = 10_000) -> int:
    """Forget the keys of a database that are older than KEPT_FOR. Returns how many went; call it
    again while that is `at_most`."""
    sql = """
        DELETE FROM platform_idempotencyrecord WHERE id IN (
            SELECT id FROM platform_idempotencyrecord WHERE created_at < %s
            ORDER BY created_at LIMIT %s FOR UPDATE SKIP LOCKED
        )"""
    with connections[alias].cursor() as cursor:
        cursor.execute(sql, [now - KEPT_FOR, at_most])
        return int(cursor.rowcount)
