from __future__ import annotations

import json
import re
from typing import Annotated, Any
from uuid import UUID

import msgspec
import pytest
from msgspec import UNSET, Meta

from infrastructure.http import types
from infrastructure.http.decoding import (
    InvalidBody,
    InvalidJson,
    InvalidParameters,
    decode_body,
    decode_form,
    decode_query,
)
from infrastructure.http.types import Body
from infrastructure.money import MAX_AMOUNT_MINOR, Money
from tests.support.http import Paint, ParcelFilters

PRICE = '"price":{"amount":"1.20","currency":"EUR"}'


class Noted(Body, frozen=True, kw_only=True):
    note: Annotated[str, Meta(max_length=20)]


def faults_of(raw: str, body_type: type = Paint) -> list[tuple[str, str]]:
    with pytest.raises(InvalidBody) as refused:
        decode_body(raw.encode(), body_type)
    return [(fault.pointer, fault.code) for fault in refused.value.errors]


def test_a_good_body_is_decoded_with_its_defaults() -> None:
    paint = decode_body(f'{{"name":"door",{PRICE},"coats":[{{"colour":"red"}}]}}'.encode(), Paint)
    assert (paint.name, paint.coats[0].colour, paint.coats[0].layers) == ("door", "red", 1)
    assert paint.price.to_money() == Money(120, "EUR")
    assert paint.note is UNSET


def test_what_is_answered_may_be_more_than_what_comes_in() -> None:
    answered = types.Money.of_minor(10**6 * MAX_AMOUNT_MINOR, "EUR")
    assert answered.amount == "10000000000000000000.00"
    pattern = msgspec.json.schema(types.Money)["$defs"]["Money"]["properties"]["amount"]["pattern"]
    assert re.search(pattern, answered.amount)


def test_every_fault_of_a_body_is_named_at_once() -> None:
    raw = """{"name": "", "price": {"amount": "1.234", "currency": "EUR"}, "paid": true, "note": 3,
        "coats": [{"colour": "green", "layers": 0}, {"layers": "two", "x/y~z": 1}, 7]}"""
    assert faults_of(raw) == [
        ("/paid", "unknown_field"),
        ("/name", "too_short"),
        ("/price", "too_many_decimals"),
        ("/coats/0/colour", "invalid_choice"),
        ("/coats/0/layers", "out_of_range"),
        ("/coats/1/x~1y~0z", "unknown_field"),
        ("/coats/1/colour", "required"),
        ("/coats/1/layers", "invalid_type"),
        ("/coats/2", "invalid_type"),
        ("/note", "invalid_type"),
    ]


@pytest.mark.parametrize(
    ("price", "fault"),
    [
        ('{"amount":"1.2a","currency":"EUR"}', ("/price/amount", "bad_format")),
        ('{"amount":"1.20","currency":"eur"}', ("/price/currency", "bad_format")),
        ('{"amount":"1.20","currency":"ZZZ"}', ("/price", "unknown_currency")),
        ('{"amount":"1.5","currency":"JPY"}', ("/price", "too_many_decimals")),
        ('{"amount":"10000000000000.01","currency":"EUR"}', ("/price", "amount_too_large")),
        ('{"amount":12.3,"currency":"EUR"}', ("/price/amount", "invalid_type")),
        ('{"currency":"EUR"}', ("/price/amount", "required")),
        ("null", ("/price", "invalid_type")),
    ],
)
def test_money_is_text_with_at_most_the_decimals_of_its_currency(
    price: str, fault: tuple[str, str]
) -> None:
    raw = f'{{"name":"door","price":{price},"coats":[{{"colour":"red"}}]}}'
    assert faults_of(raw) == [fault]


def test_a_list_is_at_fault_itself_once_its_items_are_right() -> None:
    assert faults_of(f'{{"name":"door",{PRICE},"coats":[]}}') == [("/coats", "too_few")]
    four = ",".join(['{"colour":"red"}'] * 4)
    assert faults_of(f'{{"name":"door",{PRICE},"coats":[{four}]}}') == [("/coats", "too_many")]


def test_a_nul_character_is_refused_wherever_it_is() -> None:
    raw = f'{{"name":"do\\u0000or",{PRICE},"coats":[{{"colour":"red"}}]}}'
    assert faults_of(raw) == [("/name", "bad_format")]


@pytest.mark.parametrize(
    "spelt",
    [
        *("\\u0001", "\\b", "\\u0008", "\\u000b", "\\u000B", "\\f", "\\u001f", "\\u007f"),
        *("\\u007F", "\\u0080", "\\u009f", "\x7f", "\x80", "\x9f"),
    ],
)
def test_a_control_character_is_refused_however_it_is_written(spelt: str) -> None:
    for note in (f"do{spelt}or", f"dö{spelt}r", f"\\\\{spelt}"):
        assert faults_of(f'{{"note":"{note}"}}', Noted) == [("/note", "bad_format")]


@pytest.mark.parametrize("ascii_only", [True, False])
def test_tabs_ends_of_lines_and_all_other_letters_are_taken(ascii_only: bool) -> None:
    text = "a\t\r\n \xa0\xad\u2028Ünï ♥ \U0001f600z"
    raw = json.dumps({"note": text}, ensure_ascii=ascii_only)
    assert decode_body(raw.encode(), Noted).note == text


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    raw = f'{{"name":"do\\\\u0000or",{PRICE},"coats":[{{"colour":"red"}}]}}'
    assert decode_body(raw.encode(), Paint).name == "do\\u0000or"


def test_at_most_a_hundred_faults_are_named() -> None:
    coats = ",".join(["7"] * 5000)
    assert len(faults_of(f'{{"name":"door",{PRICE},"coats":[{coats}]}}')) == 100


class Odd(Body, frozen=True, kw_only=True):
    marks: dict[str, Annotated[int, Meta(ge=1, le=9)]]
    owner: UUID | None = None


def test_faults_inside_a_mapping_and_of_plain_values() -> None:
    assert faults_of('{"marks":{"a":0},"owner":"me"}', Odd) == [
        ("/marks/a", "out_of_range"),
        ("/owner", "bad_format"),
    ]


@pytest.mark.parametrize("raw", [b"[1]", b'"text"', b"null", b"7"])
def test_a_body_that_is_no_object(raw: bytes) -> None:
    with pytest.raises(InvalidBody) as refused:
        decode_body(raw, Paint)
    assert [(f.pointer, f.code) for f in refused.value.errors] == [("", "invalid_type")]


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b"{} {}", b"[" * 100_000, b'{"a":"\xed"}'])
def test_what_is_no_json(raw: bytes) -> None:
    with pytest.raises(InvalidJson):
        decode_body(raw, Paint)


def test_query_parameters_are_converted_from_text() -> None:
    values = {"limit": ["5"], "label": ["a", "b"], "fragile": ["true"], "weight_max": ["10"]}
    filters = decode_query(values, ParcelFilters)
    assert (filters.limit, filters.label, filters.fragile) == (5, ["a", "b"], True)
    assert (filters.weight_max, filters.cursor) == (10, None)


def parameter_faults(values: dict[str, list[str]]) -> list[tuple[str, str]]:
    with pytest.raises(InvalidParameters) as refused:
        decode_query(values, ParcelFilters)
    return [(fault.pointer, fault.code) for fault in refused.value.errors]


def test_every_fault_of_a_query_is_named_at_once() -> None:
    values: dict[str, Any] = {
        "page": ["2"],
        "limit": ["500"],
        "fragile": ["perhaps"],
        "cursor": ["a", "b"],
        "weight_max": ["much"],
        "label": ["ok", ""],
    }
    assert parameter_faults(values) == [
        ("?page", "unknown_parameter"),
        ("?cursor", "repeated_parameter"),
        ("?limit", "out_of_range"),
        ("?label", "too_short"),
        ("?fragile", "invalid_type"),
        ("?weight_max", "invalid_type"),
    ]


def test_a_nul_in_a_parameter_is_refused() -> None:
    assert parameter_faults({"label": ["a\x00"]}) == [("?label", "bad_format")]


def test_a_parameter_may_look_for_what_was_stored_with_a_control_character() -> None:
    assert decode_query({"note": ["a\x07"]}, Noted).note == "a\x07"


def test_the_texts_of_a_form_are_those_of_a_body() -> None:
    with pytest.raises(InvalidBody) as refused:
        decode_form({"note": ["a\x07"]}, Noted)
    assert [(e.pointer, e.code) for e in refused.value.errors] == [("/note", "bad_format")]
    assert decode_form({"note": ["a\tb\r\nc"]}, Noted).note == "a\tb\r\nc"
