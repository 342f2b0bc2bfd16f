from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.products.rules.attributes import AttributeRule, Kind, Level, checked_attributes
from domains.products.rules.barcodes import is_barcode
from domains.products.rules.texts import merged_texts
from domains.products.rules.types import (
    AttributeTerms,
    ChoiceTerms,
    Loss,
    faults_among,
    losses,
)
from domains.products.rules.variants import option_faults

RULES = [
    AttributeRule(code="care", kind=Kind.TEXT),
    AttributeRule(code="capacity", kind=Kind.NUMBER),
    AttributeRule(code="material", kind=Kind.CHOICE, required=True, choices=("glass", "steel")),
    AttributeRule(code="colours", kind=Kind.MULTI_CHOICE, choices=("red", "green", "blue")),
    AttributeRule(code="safe", kind=Kind.BOOLEAN),
    AttributeRule(code="released", kind=Kind.DATE),
]


def check(values: dict[str, Any], *, complete: bool = False) -> list[tuple[str, str]]:
    _, faults = checked_attributes(values, RULES, complete=complete, pointer="/attributes")
    return [(fault.pointer, fault.code) for fault in faults]


@pytest.mark.parametrize(
    ("code", "right", "wrong"),
    [
        ("care", ["by hand"], ["", "x" * 1001, 1, True, ["by hand"]]),
        ("capacity", [0, -1, 2.5, 10**15], ["1", True, float("nan"), float("inf"), 10**15 + 1]),
        ("material", ["glass"], [["glass"], 1]),
        ("colours", [["red"], ["blue", "red"]], ["red", [], {"red": 1}]),
        ("safe", [True, False], [1, "true"]),
        ("released", ["2026-03-31"], ["2026-02-30", "20260331", "2026-W14-2", 20260331]),
    ],
)
def test_a_value_is_of_the_kind_of_its_attribute(
    code: str, right: list[Any], wrong: list[Any]
) -> None:
    for value in right:
        assert check({code: value}) == []
    for value in wrong:
        assert check({code: value}) == [(f"/attributes/{code}", "invalid_attribute_value")]


def test_all_faults_are_told_at_once_with_a_pointer_each() -> None:
    values = {"material": "wood", "colours": ["red", "pink"], "si/ze": 1, "safe": "yes"}
    assert check(values) == [
        ("/attributes/material", "unknown_choice"),
        ("/attributes/colours", "unknown_choice"),
        ("/attributes/si~1ze", "unknown_attribute"),
        ("/attributes/safe", "invalid_attribute_value"),
    ]


def test_what_is_required_is_demanded_of_what_is_complete() -> None:
    assert check({}) == []
    assert check({}, complete=True) == [("/attributes/material", "attribute_required")]
    assert check({"material": "steel"}, complete=True) == []


@given(st.permutations(["red", "green", "blue"]), st.integers(min_value=1, max_value=3))
def test_choices_are_kept_in_the_order_of_the_type_each_once(order: list[str], n: int) -> None:
    stored, faults = checked_attributes(
        {"colours": order[:n] * 2}, RULES, complete=False, pointer=""
    )
    assert faults == []
    assert stored["colours"] == [c for c in ("red", "green", "blue") if c in order[:n]]


@given(
    st.dictionaries(
        st.text(max_size=8),
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
        max_size=5,
    )
)
def test_what_is_stored_is_what_was_given_where_nothing_is_wrong(values: dict[str, Any]) -> None:
    stored, faults = checked_attributes(values, RULES, complete=False, pointer="")
    assert len(stored) + len(faults) == len(values)
    assert all(values[code] == value for code, value in stored.items())


@pytest.mark.parametrize(
    "text",
    ["4006381333931", "036000291452", "96385074", "00012345600012", "", "1234", "ABC-12345678"],
)
def test_a_barcode_is_a_gtin_with_its_check_digit_or_something_else(text: str) -> None:
    assert is_barcode(text)


@given(
    st.sampled_from([7, 11, 12, 13]).flatmap(
        lambda n: st.text("0123456789", min_size=n, max_size=n)
    )
)
def test_one_check_digit_in_ten_is_right(digits: str) -> None:
    assert sum(is_barcode(f"{digits}{last}") for last in range(10)) == 1


def test_an_empty_text_falls_back_and_a_locale_without_texts_is_gone() -> None:
    known = {"de": {"name": "Lampe", "description": "Hell"}, "fr": {"name": "Lampe"}}
    changes = {"de": {"description": ""}, "fr": None, "es": {"name": ""}, "ru": {"name": "Лампа"}}
    assert merged_texts(known, changes) == {"de": {"name": "Lampe"}, "ru": {"name": "Лампа"}}


def test_variants_have_the_same_options_and_no_two_the_same_combination() -> None:
    red = {"colour": "red", "size": "S"}
    variants = [
        ("/0", red),
        ("/1", {"size": "S", "colour": "red"}),
        ("/2", {"colour": "red"}),
        ("/3", {"colour": "blue", "size": "S"}),
        ("/4", {}),
    ]
    faults = [(fault.pointer, fault.code) for fault in option_faults(variants)]
    assert faults == [
        ("/1/options", "options_repeated"),
        ("/2/options", "option_names_differ"),
        ("/4/options", "option_names_differ"),
    ]
    assert option_faults([("/0", {}), ("/1", {})]) == []
    assert option_faults([]) == []


def attribute(code: str = "a", kind: Kind = Kind.CHOICE, **fields: Any) -> AttributeTerms:
    choices = tuple(ChoiceTerms(code=c, name=c) for c in fields.pop("choices", ""))
    return AttributeTerms(code=code, name=code, kind=kind, choices=choices, **fields)


def test_the_attributes_of_a_type_go_together() -> None:
    attributes = [
        attribute(choices="xyx"),
        attribute(),
        attribute("b", Kind.TEXT, choices="x", unit="cm"),
        attribute("c", Kind.NUMBER, unit="cm"),
    ]
    assert [(fault.pointer, fault.code) for fault in faults_among(attributes)] == [
        ("/attributes/1/code", "code_repeated"),
        ("/attributes/0/choices/2/code", "code_repeated"),
        ("/attributes/1/choices", "choices_required"),
        ("/attributes/2/choices", "choices_not_allowed"),
        ("/attributes/2/unit", "unit_not_allowed"),
    ]


def test_what_a_change_of_a_type_takes_away() -> None:
    before = [
        attribute("gone", Kind.TEXT),
        attribute("kind", Kind.TEXT),
        attribute("level", Kind.TEXT),
        attribute("choice", choices="xy"),
        attribute("kept", choices="x"),
    ]
    after = [
        attribute("kept", choices="zx", required=True),
        attribute("choice", choices="y"),
        attribute("level", Kind.TEXT, level=Level.VARIANT),
        attribute("kind", Kind.NUMBER),
    ]
    assert losses(before, after) == [
        Loss(attribute="gone", level=Level.PRODUCT),
        Loss(attribute="kind", level=Level.PRODUCT),
        Loss(attribute="level", level=Level.PRODUCT),
        Loss(attribute="choice", level=Level.PRODUCT, choice="x"),
    ]
