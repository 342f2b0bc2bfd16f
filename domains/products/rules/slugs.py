"""The parts of URLs that stand for names."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Literal

MAX_SLUG_LENGTH = 200
MAX_SLUG_NUMBER = 50

EXTERNAL = "external:"
"""In front of an external id where otherwise an id or a slug stands, which have no colon."""

_ID = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
# Parts of paths where otherwise a slug stands; and those that clients resolve.
_ROUTES = frozenset({"bulk", ".", ".."})
_NO_LETTER = re.compile(r"[^\w]+|_+")
_LATIN_ACCENTS = re.compile(r"([a-z])[\u0300-\u036f]+")


def slug_of(name: str) -> str:
    """The part of a URL that stands for a name: lower case, letters of any script; Latin ones
    without accents.

    `"Glühwein Cup, red"` → `"gluhwein-cup-red"`. Room is left for a number behind it.
    """
    decomposed = unicodedata.normalize("NFKD", name).lower()
    letters = _LATIN_ACCENTS.sub(r"\1", decomposed)
    words = _NO_LETTER.sub("-", unicodedata.normalize("NFC", letters))
    slug = words.strip("-")[: MAX_SLUG_LENGTH - 12].strip("-") or "item"
    return slug if is_slug(slug) else f"item-{slug}"


def is_slug(text: str) -> bool:
    """Whether it can stand in a path without being taken for something else."""
    return named_by(text)[0] == "slug" and text not in _ROUTES


def named_by(name: str) -> tuple[Literal["id", "slug", "external_id"], str]:
    """What something is named by in a path, and the value: an id, a slug, or `external:` and an
    external id."""
    if name.startswith(EXTERNAL):
        return "external_id", name.removeprefix(EXTERNAL)
    return ("id" if _ID.fullmatch(name) else "slug"), name


def numbered_slugs(base: str) -> list[str]:
    """The slugs that a name may take when its own is taken: `base-2`, `base-3`, …"""
    return [f"{base}-{number}" for number in range(2, MAX_SLUG_NUMBER + 1)]


def free_slug(base: str, taken: Collection[str], *, otherwise: str) -> str:
    """`base`, or the first of its numbers that nobody has, or `base-<otherwise>`."""
    for slug in (base, *numbered_slugs(base)):
        if slug not in taken:
            return slug
    return f"{base}-{otherwise}"


def free_slugs(
    names: Sequence[str],
    *,
    taken_among: Callable[[Collection[str]], set[str]],
    otherwise: Callable[[], str],
    reserved: Collection[str] = (),
) -> list[str]:
    """A slug per name that is free now, each a different one.

    taken_among: those of some slugs that are taken; asked up to three times. reserved: taken too.
    """
    bases = Counter(slug_of(name) for name in names)
    taken = taken_among(set(bases)) | set(reserved)
    crowded = [base for base, times in bases.items() if times > 1 or base in taken]
    # Most names are taken once or twice, if at all.
    for first, last in ((2, 6), (7, MAX_SLUG_NUMBER)):
        asked = [f"{base}-{number}" for base in crowded for number in range(first, last + 1)]
        if asked:
            taken |= taken_among(asked)
        crowded = [
            base
            for base in crowded
            if sum(slug not in taken for slug in (base, *numbered_slugs(base)[: last - 1]))
            < bases[base]
        ]
    slugs = []
    for base in map(slug_of, names):
        slug = free_slug(base, taken, otherwise=otherwise())
        taken.add(slug)
        slugs.append(slug)
    return slugs
