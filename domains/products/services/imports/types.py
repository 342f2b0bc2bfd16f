"""A batch of product types, each with all its attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import UNSET

from domains.products.models import ProductType
from domains.products.rules.attributes import Kind, Level
from domains.products.rules.imports.reading import Item
from domains.products.rules.imports.rows import AttributeRow, ChoiceRow, ProductTypeRow
from domains.products.rules.types import AttributeTerms, ChoiceTerms
from domains.products.services.imports.terms import Terms, check_mode, refuse, required
from domains.products.services.types import create_type, edit_type
from infrastructure.database.contexts import atomic
from infrastructure.errors import DomainError


def write(items: Sequence[Item], terms: Terms) -> None:
    """One by one: there are few of them, and each change is checked against all products."""
    codes = [item.value.code for item in items]
    # All at once, as for an edit: of two files with the same types one waits for the other.
    there = ProductType.objects.locked().filter(code__in=codes).prefetch_related("attribute_rows")
    known = {found.code: found for found in there}
    for item in items:
        if item.faults:
            # Without one of its rows the type would lose an attribute.
            item.outcome = "failed"
            continue
        try:
            with atomic("products"):
                _write(item, known.get(item.value.code), terms)
        except DomainError as refusal:
            refuse(item, refusal)


def _write(item: Item, found: ProductType | None, terms: Terms) -> None:
    row: ProductTypeRow = item.value
    check_mode(terms.mode, is_there=found is not None, what="product type")
    before = {} if found is None else {known.code: known for known in found.terms}
    attributes = [_terms(given, before.get(given.code)) for given in row.attributes]
    if found is None:
        item.id = create_type(
            code=row.code, name=required(row, "name"), attributes=attributes, now=terms.now
        )
        item.outcome = "created"
        return
    item.id = found.id
    name = found.name if row.name is UNSET else row.name
    wanted = attributes if row.attributes else list(before.values())
    if name == found.name and wanted == list(before.values()):
        item.outcome = "unchanged"
        return
    edit_type(code=row.code, version=None, name=name, attributes=wanted, now=terms.now)
    item.outcome = "changed"


def _terms(row: AttributeRow, known: AttributeTerms | None) -> AttributeTerms:
    """Names in other languages stay where the row does not speak of them."""
    choices = {} if known is None else {choice.code: choice for choice in known.choices}
    return AttributeTerms(
        code=row.code,
        name=row.name,
        kind=Kind(row.kind),
        names=_names(row, {} if known is None else known.names),
        unit=row.unit,
        choices=tuple(
            ChoiceTerms(
                code=choice.code, name=choice.name, names=_names(choice, _of(choices, choice))
            )
            for choice in row.choices
        ),
        required=row.required,
        filterable=row.filterable,
        level=Level(row.level),
    )


def _of(choices: Mapping[str, ChoiceTerms], row: ChoiceRow) -> Mapping[str, str]:
    return choices[row.code].names if row.code in choices else {}


def _names(row: AttributeRow | ChoiceRow, known: Mapping[str, str]) -> dict[str, str]:
    given = {} if row.names is UNSET else row.names
    return {locale: name for locale, name in {**known, **given}.items() if name is not None}
