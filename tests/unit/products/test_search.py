"""What is made of the words of a search, without a database."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.products.rules.search import (
    KnownWord,
    configuration_of,
    corrections,
    slips,
    tsquery_of,
    words_of,
)


def known(word: str, *lexemes: str) -> KnownWord:
    return KnownWord(word, lexemes or (word,), known=True)


def unknown(word: str, *similar: str) -> KnownWord:
    return KnownWord(word, (word,), known=False, similar=similar)


STOP_WORD = KnownWord("the", (), known=True)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("lantern", ["lantern"]),
        ("  White METAL, t-light_holder ", ["white", "metal", "t", "light", "holder"]),
        ("women's children’s", ["womens", "childrens"]),
        ("Glühwein № 5", ["glühwein", "no", "5"]),
        ("' | ! & :* \\ (", []),
        ("a b c d e f g h i j", ["a", "b", "c", "d", "e", "f", "g", "h"]),
    ],
)
def test_a_search_is_taken_apart_into_words(typed: str, words: list[str]) -> None:
    assert words_of(typed) == words


@pytest.mark.parametrize(
    ("words", "query"),
    [
        ([known("lanterns", "lantern")], "('lantern':* | 'lanterns':*)"),
        ([known("red"), known("lan")], "('red') & ('lan':*)"),
        # One letter begins too much.
        ([known("red"), known("l")], "('red') & ('l')"),
        ([STOP_WORD, known("cup")], "('cup':*)"),
        ([known("cup"), STOP_WORD], "('cup')"),
        ([STOP_WORD], "('the':*)"),
        ([unknown("lantren", "lantern", "pattern"), known("red")], "('lantern') & ('red':*)"),
        ([unknown("xyzzy", "lantern"), known("red")], None),
        ([], None),
    ],
)
def test_all_telling_words_must_occur(words: list[KnownWord], query: str | None) -> None:
    assert tsquery_of(words) == query


def test_two_words_may_be_written_as_one() -> None:
    door, mat, red = known("door"), known("mat"), known("red")
    none = [unknown("doormat"), unknown("matred")]
    assert tsquery_of([door, mat, red], none) == "('door') & ('mat') & ('red':*)"
    one = [known("doormat"), unknown("matred")]
    assert tsquery_of([door, mat, red], one) == "(('door') & ('mat') | ('doormat')) & ('red':*)"
    stem = [known("bakelikered", "bakelik")]
    query = "(('bakelike') & ('red':*) | ('bakelikered'))"
    assert tsquery_of([known("bakelike"), known("red")], stem) == query
    # Neither is a word of the catalogue by itself.
    assert tsquery_of([unknown("door"), unknown("mat")], [known("doormat")]) == "(('doormat'))"


@pytest.mark.parametrize(
    ("typed", "meant", "count"),
    [
        ("lantern", "lantern", 0),
        ("lantren", "lantern", 1),
        ("lanten", "lantern", 1),
        ("lantaern", "lantern", 1),
        ("lamtern", "lantern", 1),
        ("antrenl", "lantern", 3),
        ("lan", "lantern", 3),
    ],
)
def test_slips_of_the_pen_are_counted(typed: str, meant: str, count: int) -> None:
    assert slips(typed, meant, 2) == count


@given(st.text("abc", max_size=7), st.text("abc", max_size=7), st.integers(1, 2))
def test_slips_are_counted_as_by_trying_everything(typed: str, meant: str, most: int) -> None:
    assert min(slips(typed, meant, most), most + 1) == min(tried(typed, meant), most + 1)


@cache
def tried(typed: str, meant: str) -> int:
    if not typed or not meant:
        return len(typed) + len(meant)
    ways = [
        tried(typed[1:], meant) + 1,
        tried(typed, meant[1:]) + 1,
        tried(typed[1:], meant[1:]) + (typed[0] != meant[0]),
    ]
    if len(typed) > 1 and typed[:2] == meant[1::-1]:
        ways.append(tried(typed[2:], meant[2:]) + 1)
    return min(ways)


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("lantren", ["lantern"]),
        ("lanterm", ["lantern"]),
        # The nearest ones only, in one order.
        ("patern", ["pattern"]),
        ("bottel", ["bottle"]),
        # Two slips in a short word make another word of it.
        ("mugg", ["mug"]),
        ("magg", []),
        # Swapped across another letter.
        ("matel", ["metal"]),
        ("lagre", ["lager", "large"]),
        # The same letters first, then in the order they came.
        ("herat", ["heart", "heat"]),
        ("bell", ["cell", "bull", "ball"]),
        # Too short to guess at.
        ("mgu", []),
        # The next SKU is another thing.
        ("85123b", []),
    ],
)
def test_a_word_is_corrected_to_its_nearest_neighbours(word: str, found: list[str]) -> None:
    similar = ["lantern", "pattern", "bottle", "mug", "85123a", "heat", "heart", "metal", "lager"]
    assert corrections(word, [*similar, "large", "cell", "bull", "ball"]) == found


@pytest.mark.parametrize(
    ("locale", "configuration"),
    [("en", "english"), ("de", "german"), ("de-AT", "german"), ("pl", "simple")],
)
def test_a_locale_has_the_stems_of_its_language(locale: str, configuration: str) -> None:
    assert configuration_of(locale) == configuration
