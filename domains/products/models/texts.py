"""Parts that products and categories both have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from django.db import models

from domains.products.errors import InvalidSlug
from domains.products.rules.slugs import MAX_SLUG_LENGTH, is_slug
from domains.products.rules.texts import TEXT_FIELDS, Texts, merged_texts
from infrastructure.aggregates import OwnedModel


class TextRow(OwnedModel):
    """What something is called and told in one locale; empty is: as in the default one."""

    locale = models.CharField(max_length=16)
    name = models.CharField(max_length=200, blank=True)
    description = models.TextField(blank=True)
    seo_title = models.CharField(max_length=200, blank=True)
    seo_description = models.CharField(max_length=500, blank=True)

    class Meta(OwnedModel.Meta):
        abstract = True

    def __str__(self) -> str:
        return f"{self.locale}: {self.name}"

    @property
    def told(self) -> dict[str, str]:
        return {field: getattr(self, field) for field in TEXT_FIELDS}


class SlugRow(OwnedModel):
    """A slug that something has or had; nothing else of its kind can ever take it."""

    slug = models.CharField(max_length=MAX_SLUG_LENGTH)

    class Meta(OwnedModel.Meta):
        abstract = True

    def __str__(self) -> str:
        return self.slug


Text = TypeVar("Text", bound=TextRow)


def retold(
    rows: Iterable[Text], changes: Mapping[str, Texts | None], new: type[Text]
) -> list[Text]:
    """The text rows after a change; those that stay keep their ids."""
    known: dict[str, Any] = {row.locale: row for row in rows}
    before = {locale: row.told for locale, row in known.items()}
    after = []
    for locale, texts in merged_texts(before, changes).items():
        row = known.get(locale) or new(locale=locale)
        for field in TEXT_FIELDS:
            setattr(row, field, texts.get(field, ""))
        after.append(row)
    return after


def with_slug(rows: Iterable[SlugRow], slug: str, new: type[SlugRow]) -> list[SlugRow]:
    """All slugs that something ever had, this one among them.

    Raises InvalidSlug for what would be taken for something else.
    """
    if not is_slug(slug):
        raise InvalidSlug(f"{slug} is taken for something else.")
    known = list(rows)
    return known if any(row.slug == slug for row in known) else [*known, new(slug=slug)]
