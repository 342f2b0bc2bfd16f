"""What a product's type demands of its attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from math import isfinite
from typing import Any

from infrastructure.errors import FieldError

MAX_TEXT = 1000
MAX_NUMBER = 10**15

UNKNOWN_ATTRIBUTE = "unknown_attribute"
ATTRIBUTE_REQUIRED = "attribute_required"
INVALID_VALUE = "invalid_attribute_value"
UNKNOWN_CHOICE = "unknown_choice"


class Kind(StrEnum):
    """What the values of an attribute are. A date is its ISO 8601 text."""

    TEXT = "text"
    NUMBER = "number"
    CHOICE = "choice"
    MULTI_CHOICE = "multi_choice"
    BOOLEAN = "boolean"
    DATE = "date"


class Level(StrEnum):
    """Who has the attribute: the product as a whole, or each of its variants."""

    PRODUCT = "product"
    VARIANT = "variant"


@dataclass(frozen=True, kw_only=True, slots=True)
class AttributeRule:
    code: str
    kind: Kind
    required: bool = False
    choices: tuple[str, ...] = ()


def checked_attributes(
    values: Mapping[str, Any],
    rules: Sequence[AttributeRule],
    *,
    complete: bool,
    pointer: str,
) -> tuple[dict[str, Any], list[FieldError]]:
    """The values as they are stored, and all that is wrong with them.

    complete: whether what is required must be there. pointer: where the values are in the input.
    Several choices are put into the order of the type.
    """
    known = {rule.code: rule for rule in rules}
    stored: dict[str, Any] = {}
    faults: list[FieldError] = []
    for code, value in values.items():
        at = f"{pointer}/{escaped(code)}"
        rule = known.get(code)
        if rule is None:
            faults.append(FieldError(at, UNKNOWN_ATTRIBUTE, f"The type has no attribute {code}."))
            continue
        fault = _fault_of(value, rule)
        if fault is not None:
            faults.append(FieldError(at, *fault))
        elif rule.kind == Kind.MULTI_CHOICE:
            stored[code] = [choice for choice in rule.choices if choice in value]
        else:
            stored[code] = value
    if complete:
        faults += [
            FieldError(f"{pointer}/{rule.code}", ATTRIBUTE_REQUIRED, f"{rule.code} is required.")
            for rule in rules
            if rule.required and rule.code not in values
        ]
    return stored, faults


def escaped(token: str) -> str:
    """A name as a token of a JSON pointer (RFC 6901)."""
    return token.replace("~", "~0").replace("/", "~1")


def _fault_of(value: Any, rule: AttributeRule) -> tuple[str, str] | None:
    """Code and sentence of what is wrong with a value."""
    match rule.kind:
        case Kind.TEXT:
            if not isinstance(value, str) or not 1 <= len(value) <= MAX_TEXT:
                return INVALID_VALUE, f"{rule.code} is a text of 1 to {MAX_TEXT} characters."
        case Kind.NUMBER:
            if not _is_number(value):
                return INVALID_VALUE, f"{rule.code} is a number."
        case Kind.BOOLEAN:
            if not isinstance(value, bool):
                return INVALID_VALUE, f"{rule.code} is true or false."
        case Kind.DATE:
            if not _is_date(value):
                return INVALID_VALUE, f"{rule.code} is a date such as 2026-03-31."
        case Kind.CHOICE:
            if not isinstance(value, str):
                return INVALID_VALUE, f"{rule.code} is the code of a choice."
            if value not in rule.choices:
                return UNKNOWN_CHOICE, f"{rule.code} has no choice {value}."
        case Kind.MULTI_CHOICE:
            if not isinstance(value, list) or not value:
                return INVALID_VALUE, f"{rule.code} is a list of codes of choices."
            unknown = [str(choice) for choice in value if choice not in rule.choices]
            if unknown:
                return UNKNOWN_CHOICE, f"{rule.code} has no choice {', '.join(unknown)}."
    return None


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and isfinite(value)
        and abs(value) <= MAX_NUMBER
    )


def _is_date(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False
