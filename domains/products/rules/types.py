"""What the attributes of a product type must be among themselves, and what of them may change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from domains.products.rules.attributes import Kind, Level
from domains.products.rules.texts import line_faults
from infrastructure.errors import FieldError

MAX_ATTRIBUTES = 100
MAX_CHOICES = 500

_WITH_CHOICES = (Kind.CHOICE, Kind.MULTI_CHOICE)


@dataclass(frozen=True, kw_only=True, slots=True)
class ChoiceTerms:
    """names: per locale, where they differ from the name."""

    code: str
    name: str
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class AttributeTerms:
    """An attribute as somebody wants it. unit: of a number, as it is shown."""

    code: str
    name: str
    kind: Kind
    names: Mapping[str, str] = field(default_factory=dict)
    unit: str = ""
    choices: tuple[ChoiceTerms, ...] = ()
    required: bool = False
    filterable: bool = False
    level: Level = Level.PRODUCT


@dataclass(frozen=True, kw_only=True, slots=True)
class Loss:
    """What values would lose their meaning: all of an attribute, or those with one choice."""

    attribute: str
    level: Level
    choice: str | None = None


def faults_among(attributes: Sequence[AttributeTerms]) -> list[FieldError]:
    """All that is wrong with the attributes of one type."""
    faults = _repeated([attribute.code for attribute in attributes], "/attributes")
    for place, attribute in enumerate(attributes):
        at = f"/attributes/{place}"
        has_choices = attribute.kind in _WITH_CHOICES
        if has_choices and not attribute.choices:
            detail = f"{attribute.code} needs choices."
            faults.append(FieldError(f"{at}/choices", "choices_required", detail))
        if attribute.choices and not has_choices:
            detail = f"A {attribute.kind} has no choices."
            faults.append(FieldError(f"{at}/choices", "choices_not_allowed", detail))
        faults += line_faults({f"{at}/unit": attribute.unit})
        if attribute.unit and attribute.kind != Kind.NUMBER:
            faults.append(FieldError(f"{at}/unit", "unit_not_allowed", "Only a number has a unit."))
        faults += _repeated([choice.code for choice in attribute.choices], f"{at}/choices")
    return faults


def losses(before: Sequence[AttributeTerms], after: Sequence[AttributeTerms]) -> list[Loss]:
    """Which values a change of a type would leave without a meaning.

    An attribute that is no longer there, or is of another kind or at another level; a choice that
    is no longer there. A choice may become a multi-choice only by a new attribute.
    """
    wanted = {attribute.code: attribute for attribute in after}
    lost: list[Loss] = []
    for known in before:
        new = wanted.get(known.code)
        if new is None or new.kind != known.kind or new.level != known.level:
            lost.append(Loss(attribute=known.code, level=known.level))
            continue
        kept = {choice.code for choice in new.choices}
        lost += [
            Loss(attribute=known.code, level=known.level, choice=choice.code)
            for choice in known.choices
            if choice.code not in kept
        ]
    return lost


def _repeated(codes: Sequence[str], pointer: str) -> list[FieldError]:
    return [
        FieldError(f"{pointer}/{place}/code", "code_repeated", f"{code} is there already.")
        for place, code in enumerate(codes)
        if code in codes[:place]
    ]
