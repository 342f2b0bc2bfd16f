"""Reading and writing the files of imports, without a database."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from domains.products.errors import InvalidHeader
from domains.products.rules.attributes import Kind
from domains.products.rules.imports.cells import CLEAR, cell_of, joined, split, text_of
from domains.products.rules.imports.columns import COLUMNS
from domains.products.rules.imports.reading import (
    MAX_CELL,
    MAX_LINE,
    MAX_ROWS_TOGETHER,
    Item,
    check,
    count,
    items,
)
from domains.products.rules.imports.repeated import Repeated
from domains.products.rules.imports.trees import parents_first
from domains.products.rules.imports.values import attribute_of
from domains.products.rules.imports.writing import CsvWriter, json_line

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "import.md"

TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=40)
STORABLE = st.text(
    st.characters(exclude_categories=["Cc", "Cs"]) | st.sampled_from("\t\n\r"), max_size=40
)


def read(kind: str, content: str | bytes, file_format: str = "csv") -> list[Item]:
    raw = content.encode() if isinstance(content, str) else content
    return list(items(io.BytesIO(raw), kind, file_format))


def faults(found: list[Item]) -> list[tuple[int, str, str]]:
    return [(fault.row, fault.pointer, fault.code) for item in found for fault in item.faults]


# Cells


@given(TEXT)
def test_every_text_survives_as_a_cell_and_none_is_a_formula(text: str) -> None:
    cell = cell_of(text)
    assert text_of(cell) == text
    assert cell[:1] not in ("=", "+", "-", "@", "\t", "\r")
    assert cell != CLEAR


@given(st.lists(TEXT, min_size=1, max_size=5))
def test_every_list_survives_as_a_text(texts: list[str]) -> None:
    assert split(joined(texts)) == texts


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("-5", "'-5"),
        ("'=1", "''=1"),
        ("'tis", "'tis"),
        ("\\N", "'\\N"),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_a_text_that_spreadsheets_would_run_gets_an_apostrophe(text: str, cell: str) -> None:
    assert cell_of(text) == cell
    assert text_of(cell) == text


@given(st.lists(STORABLE, min_size=1, max_size=5))
def test_what_is_written_is_read_again(texts: list[str]) -> None:
    writer = CsvWriter(["slug", "description"])
    rows = [{"slug": f"s{place}", "description": text} for place, text in enumerate(texts)]
    found = read("categories", writer.header() + writer.lines(rows))
    assert [item.value.description or "" for item in found] == texts


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("12", Kind.NUMBER, 12),
        ("12.5", Kind.NUMBER, 12.5),
        (" -12 ", Kind.NUMBER, -12),
        (".5", Kind.NUMBER, 0.5),
        ("1e-05", Kind.NUMBER, 0.00001),
        ("many", Kind.NUMBER, "many"),
        ("1_000", Kind.NUMBER, "1_000"),
        ("1_0.5", Kind.NUMBER, "1_0.5"),
        ("1,000", Kind.NUMBER, "1,000"),
        ("\u0661\u0662", Kind.NUMBER, "\u0661\u0662"),
        ("\u0661.5", Kind.NUMBER, "\u0661.5"),
        ("0x10", Kind.NUMBER, "0x10"),
        ("true", Kind.BOOLEAN, True),
        ("FALSE", Kind.BOOLEAN, False),
        ("maybe", Kind.BOOLEAN, "maybe"),
        ("a|b", Kind.MULTI_CHOICE, ["a", "b"]),
        ("12", Kind.TEXT, "12"),
        ("2026-03-02", Kind.DATE, "2026-03-02"),
    ],
)
def test_a_text_becomes_a_value_of_the_attribute(text: str, kind: Kind, value: Any) -> None:
    assert attribute_of(text, kind) == value


# CSV


def test_rows_of_one_product_become_one_thing() -> None:
    found = read(
        "products",
        "external_id,name,sku,option.size,attr.material,price.EUR,weight_g,categories\n"
        "P1,Hoodie,P1-S,S,wool,52.00,300,tops|external:eco\n"
        "P1,,P1-M,M,,53.00,,\n"
        ",Mug,M1,,,4.00,,\n",
    )
    assert [(item.end, item.rows, item.faults) for item in found] == [(2, [2, 3], []), (3, [4], [])]
    hoodie, mug = (item.value for item in found)
    assert (hoodie.external_id, hoodie.name, hoodie.categories) == (
        "P1",
        "Hoodie",
        ["tops", "external:eco"],
    )
    assert hoodie.attributes == {"material": "wool"}
    assert [(v.sku, v.options, v.prices, v.weight_g) for v in hoodie.variants] == [
        ("P1-S", {"size": "S"}, {"EUR": "52.00"}, 300),
        ("P1-M", {"size": "M"}, {"EUR": "53.00"}, UNSET),
    ]
    assert (mug.external_id, mug.variants[0].sku) == (UNSET, "M1")


def test_empty_cells_leave_and_the_marker_clears() -> None:
    (item,) = read(
        "products", f"slug,sku,description,product_type,name.de\nmug,,,{CLEAR},{CLEAR}\n"
    )
    assert item.value.description is UNSET
    assert item.value.product_type is None
    assert item.value.texts["de"].name is None
    assert item.value.variants == []


def test_a_row_that_is_wrong_keeps_no_other_one_from_being_read() -> None:
    found = read(
        "products",
        "external_id,name,sku,price.EUR,weight_g\n"
        "P1,Hoodie,P1-S,52.00005,\n"
        "P1,,P1-M,53.00,heavy\n"
        "P1,too,few\n"
        "P1,Other,P1-L,54.00,\n"
        "P1,,P1-XL,55.00,\n"
        "P2,Mug,M 1  ,,\n",
    )
    assert faults(found) == [
        (2, "price.EUR", "bad_format"),
        (3, "weight_g", "invalid_type"),
        (4, "", "malformed_row"),
        (7, "sku", "bad_format"),
    ]
    assert [v.sku for v in found[0].value.variants] == ["P1-L", "P1-XL"]
    assert found[1].value is None


def test_names_in_other_languages_and_of_options_are_on_one_line() -> None:
    found = read("products", 'external_id,sku,name.de,option.size\nP1,A,"Lam\npe","S\tM"\n')
    assert faults(found) == [(2, "name.de", "bad_format"), (2, "option.size", "bad_format")]


def test_a_later_row_that_contradicts_the_first_one_is_refused() -> None:
    (item,) = read("products", "external_id,name,sku\nP1,Hoodie,A\nP1,Jacket,B\nP1,Hoodie,C\n")
    assert faults([item]) == [(3, "name", "conflicting_value")]
    assert [variant.sku for variant in item.value.variants] == ["A", "C"]
    assert item.rows == [2, 4]


def test_no_more_rows_are_held_together_than_a_product_may_have() -> None:
    rows = "".join(f"P1,A{n},Pot\n" for n in range(MAX_ROWS_TOGETHER + 2))
    found = read("products", "external_id,sku,name\n" + rows + "P2,B,Pan\n")
    assert [len(item.rows) for item in found if item.value] == [MAX_ROWS_TOGETHER, 1]
    assert [(row, code) for row, _, code in faults(found)] == [(102, "too_many"), (103, "too_many")]
    found = read("products", "external_id,sku,name\n" + "too,few\n" * 1_000)
    assert max(len(item.faults) for item in found) == MAX_ROWS_TOGETHER
    assert sum(len(item.faults) for item in found) == 1_000


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_dialects_are_told_by_the_header(delimiter: str, end: str) -> None:
    lines = [["sku", "currency", "amount"], ["A", "EUR", "1.50"], ["B", "EUR", '"2"']]
    content = "\ufeff" + end.join(delimiter.join(line) for line in lines)
    assert [(i.value.sku, i.value.amount) for i in read("prices", content)] == [
        ("A", "1.50"),
        ("B", "2"),
    ]


def test_quoted_line_breaks_and_blank_lines_do_not_disturb_the_numbers_of_rows() -> None:
    found = read("products", 'slug,sku,description\na,A,"one\ntwo"\n\nb,B,three\n')
    assert [(i.rows, i.end, i.value.description) for i in found] == [
        ([2], 1, "one\ntwo"),
        ([4], 3, "three"),
    ]
    assert count(io.BytesIO(b'sku\n"a\nb"\nc\n'), "csv") == 2


def test_an_unknown_or_missing_column_is_refused_with_a_list() -> None:
    with pytest.raises(InvalidHeader) as refused:
        check(io.BytesIO(b"sku,colour,Price,sku\n"), "prices", "csv")
    assert [(error.pointer, error.code) for error in refused.value.errors] == [
        ("colour", "unknown_column"),
        ("Price", "unknown_column"),
        ("sku", "repeated_column"),
        ("currency", "missing_column"),
        ("amount", "missing_column"),
    ]
    with pytest.raises(InvalidHeader):
        check(io.BytesIO(b""), "products", "csv")


@pytest.mark.parametrize(
    ("first", "code", "detail"),
    [
        (b"sku,on\x00hand", "bad_format", "The first line has a NUL character."),
        (b"sku,on\xffhand", "invalid_encoding", "The first line is not UTF-8."),
        ("sku,on_hand".encode("utf-16"), "invalid_encoding", "The first line is not UTF-8."),
        (b"s" * MAX_LINE, "too_long", f"The first line may have {MAX_LINE:,} bytes."),
    ],
    ids=["NUL", "no UTF-8", "UTF-16", "too long"],
)
def test_a_first_line_that_cannot_be_read_says_why(first: bytes, code: str, detail: str) -> None:
    with pytest.raises(InvalidHeader) as refused:
        check(io.BytesIO(first + b"\nA,1\n"), "stock", "csv")
    assert [(e.pointer, e.code, e.detail) for e in refused.value.errors] == [("", code, detail)]
    assert refused.value.detail == detail


def test_bytes_that_are_no_text_are_faults_of_their_row() -> None:
    content = b"sku,currency,amount\nA\xff,EUR,1\nB,EUR,2\nC\x00,EUR,3\n"
    assert faults(read("prices", content)) == [
        (2, "", "invalid_encoding"),
        (4, "sku", "bad_format"),
    ]


@pytest.mark.parametrize("letter", ["\x07", "\x0b", "\x7f", "\x85", "\x9f"])
def test_no_text_of_a_file_has_control_characters(letter: str) -> None:
    row = f'P1,A,{letter},"a{letter}b",{letter},{letter}\n'
    header = "external_id,sku,seo_title,description,variant_name,attr.maker\n"
    columns = ["description", "seo_title", "attr.maker", "variant_name"]
    assert faults(read("products", header + row)) == [(2, name, "bad_format") for name in columns]
    line = {"sku": "A", "on_hand": 1, "reason": f"a{letter}b"}
    for ascii_only in (True, False):
        [item] = read("stock", json.dumps(line, ensure_ascii=ascii_only), "jsonl")
        assert faults([item]) == [(1, "/reason", "bad_format")]


def test_a_description_may_have_several_lines() -> None:
    found = read("products", 'sku,description\nA,"one\r\n\ttwo\nthree"\n')
    assert [item.value.description for item in found] == ["one\r\n\ttwo\nthree"]


@pytest.mark.parametrize(("cell", "value"), [("5", 5), ("0", 0), ("'-3", -3), ("-3", -3)])
def test_a_whole_number_is_written_in_plain_digits(cell: str, value: int) -> None:
    found = read("stock", f"sku,delta\nA,{cell}\n")
    assert [item.value.delta for item in found] == [value]


@pytest.mark.parametrize(
    ("kind", "columns", "row", "numbers"),
    [
        ("products", "sku", "A", ["weight_g", "length_mm", "width_mm", "height_mm"]),
        ("prices", "sku,currency,amount", "A,EUR,1", ["min_quantity"]),
        ("stock", "sku", "A", ["on_hand", "change_from"]),
        ("stock", "sku", "A", ["delta"]),
    ],
)
@pytest.mark.parametrize(
    "cell", ["1e3", "-0", "5.0", "5,0", "+5", "007", " 5", "1_0", "0x1", "\u0663", "null"]
)
def test_what_only_looks_like_a_whole_number_is_refused(
    kind: str, columns: str, row: str, numbers: list[str], cell: str
) -> None:
    header = ",".join([columns, *numbers])
    [item] = read(kind, f"{header}\n{row}" + f',"{cell}"' * len(numbers))
    assert [(fault.pointer, fault.code, fault.detail) for fault in item.faults] == [
        (column, "invalid_type", "Expected a whole number in plain digits, such as 5 or -3.")
        for column in numbers
    ]


def test_a_truth_value_of_a_column_is_one_or_is_refused() -> None:
    cells = ["true", "FALSE", "1", "0", "yes", "null"]
    found = read("products", "sku,retired\n" + "".join(f"A{c},{c}\n" for c in cells))
    assert [i.value.variants[0].retired for i in found if i.value] == [True, False, True, False]
    assert faults(found) == [(6, "retired", "invalid_type"), (7, "retired", "invalid_type")]


def test_a_quote_that_is_never_closed_costs_what_a_cell_may_hold_and_no_more() -> None:
    rows = "".join(f"S{n},EUR,1\n" for n in range(3))
    content = f'sku,currency,amount\n"open,EUR,1\n{"x" * MAX_CELL}\n{rows}'
    found = read("prices", content)
    assert found[0].faults[0].code == "malformed_row"
    assert [item.value.sku for item in found if item.value] == ["S0", "S1", "S2"]


def test_a_line_without_an_end_is_never_held_in_memory() -> None:
    class Endless(io.RawIOBase):
        left, asked = 40 * MAX_LINE, 0

        def readline(self, size: int | None = -1, /) -> bytes:
            assert size == MAX_LINE
            self.left -= size
            return b"x" * size if self.left >= 0 else b""

    (item,) = items(Endless(), "prices", "jsonl")
    assert faults([item]) == [(1, "", "too_long")]


@pytest.mark.parametrize("head", [b"sku,\xff\n", b"sku,a\x00\n", b'"sku,name', b"sku\xc3,amount"])
def test_a_header_that_is_no_text_is_refused(head: bytes) -> None:
    with pytest.raises(InvalidHeader) as refused:
        check(io.BytesIO(head), "prices", "csv")
    refused.value.detail.encode()


# JSON Lines


def test_lines_of_json_are_taken_or_refused_each_by_itself() -> None:
    content = (
        b'{"sku":"A","currency":"EUR","amount":"1.00"}\n'
        b"\n"
        b'{"sku":"B","currency":"EUR"}\n'
        b'{"sku":"C","currency":"EUR","amount":"1.001","colour":"red"}\n'
        b"{nothing\n"
        b'{"sku":"D\\u0000","currency":"EUR","amount":"1"}\n'
        b'{"sku":"E","currency":"EUR","amount":"1"}\n'
        b'{"sku":1,"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n"
        b'{"sku":"\\ud800","currency":"EUR","amount":"1"}'
    )
    found = read("prices", content, "jsonl")
    assert faults(found) == [
        (3, "/amount", "required"),
        (4, "/colour", "unknown_field"),
        (5, "", "invalid_json"),
        (6, "/sku", "bad_format"),
        (8, "", "invalid_json"),
        (9, "", "invalid_json"),
    ]
    assert [item.value.sku for item in found if item.value] == ["A", "E"]
    assert [item.end for item in found] == [1, 3, 4, 5, 6, 7, 8, 9]


def test_a_line_says_nothing_of_what_is_empty() -> None:
    row = {"sku": "A", "name": "", "options": {}, "on_hand": 0, "retired": None, "x": {"y": ""}}
    assert json_line(row) == b'{"sku":"A","on_hand":0,"x":{}}\n'


# Things that occur twice, and trees


def noted(found: list[Item]) -> list[Item]:
    repeated = Repeated("products")
    for item in found:
        repeated.note(item)
    return found


def test_a_product_that_stands_in_two_places_is_refused_at_the_second() -> None:
    found = noted(
        read("products", "external_id,name,sku\nP1,A,A1\nP2,B,B1\nP1,,A2\nP3,C,B1\nP3,,C1\n")
    )
    assert faults(found) == [(4, "", "repeated"), (5, "sku", "repeated_sku")]
    assert [v.sku for v in found[3].value.variants] == ["C1"]
    assert found[3].rows == [6]


def test_categories_come_behind_the_ones_they_lie_in() -> None:
    found = read(
        "categories",
        "external_id,name,parent\n"
        "c,C,external:b\n"
        "x,X,\n"
        "b,B,external:a\n"
        "a,A,somewhere\n"
        "d,D,external:b\n",
    )
    ordered = parents_first(found)
    assert [item.value.external_id for item in ordered] == ["x", "a", "b", "c", "d"]
    assert [item.end for item in ordered] == [1, 2, 3, 4, 5]


def test_what_lies_in_itself_is_refused_and_what_lies_in_that_is_not_lost() -> None:
    found = read(
        "categories",
        "external_id,name,parent\n"
        "below,Below,external:one\n"
        "one,One,external:two\n"
        "two,Two,external:one\n"
        "self,Self,external:self\n",
    )
    ordered = parents_first(found)
    assert faults(found) == [
        (3, "parent", "category_cycle"),
        (4, "parent", "category_cycle"),
        (5, "parent", "category_cycle"),
    ]
    assert [item.value.external_id for item in ordered if item.value] == ["below"]


def test_a_chain_as_long_as_the_file_is_no_trouble() -> None:
    rows = "".join(f"c{n},N,external:c{n + 1}\n" for n in range(5_000))
    ordered = parents_first(read("categories", "external_id,name,parent\n" + rows))
    assert ordered[0].value.external_id == "c4999"
    assert ordered[-1].value.external_id == "c0"


# The document


@pytest.mark.parametrize("kind", COLUMNS)
def test_the_document_tells_every_column(kind: str) -> None:
    section = DOCUMENT.read_text().split(f"\n### `{kind}`\n")[1].split("\n### ")[0]
    told = [
        line.split("|")[1].strip().strip("`")
        for line in section.splitlines()
        if line.startswith("| `")
    ]
    assert told == [column.name for column in COLUMNS[kind]]
    for column in COLUMNS[kind]:
        assert f"| `{column.name}` | {column.meaning} |" in section
