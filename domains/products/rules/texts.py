"""The texts of products and categories, also in several languages."""

from __future__ import annotations

import re
from collections.abc import Mapping

from infrastructure.errors import FieldError
from infrastructure.http.types import ONE_LINE

TEXT_FIELDS = ("name", "description", "seo_title", "seo_description")

Texts = Mapping[str, str]
"""Some of TEXT_FIELDS; an empty or absent one is shown in the default locale."""


def merged_texts(
    known: Mapping[str, Texts], changes: Mapping[str, Texts | None]
) -> dict[str, dict[str, str]]:
    """Texts per locale after a change: None takes a locale away, an empty text one field.

    A locale without any text left is not in the answer.
    """
    merged = {locale: dict(texts) for locale, texts in known.items()}
    for locale, texts in changes.items():
        if texts is None:
            merged.pop(locale, None)
        else:
            merged[locale] = {**merged.get(locale, {}), **texts}
    kept = {
        locale: {field: text for field, text in texts.items() if text}
        for locale, texts in merged.items()
    }
    return {locale: texts for locale, texts in kept.items() if texts}


_ONE_LINE = re.compile(ONE_LINE)


def line_faults(texts: Mapping[str, str]) -> list[FieldError]:
    """What is wrong with texts that are shown on one line, by the pointers to them: those whose
    type says nothing of lines, since a pattern would narrow what is published."""
    return [
        FieldError(pointer, "bad_format", "One line, without tabs and control characters.")
        for pointer, text in texts.items()
        if not _ONE_LINE.match(text)
    ]
