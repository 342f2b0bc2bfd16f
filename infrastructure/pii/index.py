"""Blind indexes: finding a personal value by equality without storing it readably."""

from __future__ import annotations

import hashlib
import hmac
import unicodedata

from django.conf import settings


def normalise_email(value: str) -> str:
    """One spelling for all spellings of an address that a person would call the same."""
    return unicodedata.normalize("NFKC", value).strip().casefold()


def blind_index(value: str, *, kind: str) -> bytes:
    """HMAC-SHA256 of an already normalised value, 32 bytes.

    The key is PII_INDEX_KEY and serves nothing else. `kind` keeps equal values of different kinds
    apart, so that indexes cannot be joined across columns that mean different things.
    """
    return hmac.digest(settings.PII_INDEX_KEY, f"{kind}\0{value}".encode(), hashlib.sha256)
