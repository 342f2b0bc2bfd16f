"""Hashing and judging passwords."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.contrib.auth import hashers
from django.core.exceptions import ValidationError

from infrastructure.auth.errors import HashingBusy

MIN_LENGTH, MAX_LENGTH = 8, 128
SECONDS_TO_WAIT = 5.0


class Argon2idHasher(hashers.Argon2PasswordHasher):
    """Argon2id with 46 MiB, one pass, one lane: of OWASP's equal choices the one that needs the
    least computing. Django's own takes 100 MiB and eight lanes for each sign-in."""

    time_cost = 1
    memory_cost = 46 * 1024
    parallelism = 1


class LengthValidator:
    """8 to 128 characters. The upper end keeps a password from keeping a server busy."""

    def validate(self, password: str, user: Any = None) -> None:
        if len(password) < MIN_LENGTH:
            raise ValidationError(
                f"The password needs at least {MIN_LENGTH} characters.", code="too_short"
            )
        if len(password) > MAX_LENGTH:
            raise ValidationError(
                f"The password can have at most {MAX_LENGTH} characters.", code="too_long"
            )

    def get_help_text(self) -> str:
        return f"{MIN_LENGTH} to {MAX_LENGTH} characters, any of them."


def hash_of(password: str) -> str:
    """Raises HashingBusy where too many are being computed already."""
    with _room():
        return hashers.make_password(password)


def matches(password: str, stored: str | None) -> bool:
    """Whether a password belongs to a stored hash.

    Without a hash it takes the same time and the answer is no, so the time tells nobody whether
    there is an account. Raises HashingBusy.
    """
    with _room():
        right = hashers.check_password(password, stored or _hash_of_nothing())
    return right and stored is not None


def is_outdated(stored: str) -> bool:
    """Whether a hash was made with other parameters than today's."""
    preferred = hashers.get_hasher()
    made_with = hashers.identify_hasher(stored)
    return made_with.algorithm != preferred.algorithm or bool(preferred.must_update(stored))


def _hash_of_nothing() -> str:
    return _hash_made_by(hashers.get_hasher().algorithm)


@lru_cache(maxsize=4)
def _hash_made_by(algorithm: str) -> str:
    return hashers.make_password("\0" * MIN_LENGTH, hasher=algorithm)


@contextmanager
def _room() -> Iterator[None]:
    """Each Argon2 hash fills 46 MiB for a moment; without a limit a burst of sign-ins fills the
    machine."""
    limit = _limit(settings.PASSWORD_HASH_CONCURRENCY)
    if not limit.acquire(timeout=SECONDS_TO_WAIT):
        raise HashingBusy
    try:
        yield
    finally:
        limit.release()


@lru_cache(maxsize=4)
def _limit(concurrency: int) -> threading.BoundedSemaphore:
    return threading.BoundedSemaphore(concurrency)
