from __future__ import annotations

from bisect import insort

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.products.rules.ranks import FIRST, rank_between


@given(st.lists(st.integers(min_value=0, max_value=10_000), max_size=200))
def test_there_is_room_between_any_two_and_the_order_is_kept(places: list[int]) -> None:
    ranks: list[str] = []
    for place in places:
        at = place % (len(ranks) + 1)
        before = ranks[at - 1] if at else None
        after = ranks[at] if at < len(ranks) else None
        ranks.insert(at, rank_between(before, after))
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == len(ranks)


@given(st.integers(min_value=1, max_value=400), st.booleans())
def test_adding_at_an_end_never_makes_ranks_longer(times: int, at_the_front: bool) -> None:
    ranks = [FIRST]
    for _ in range(times):
        insort(
            ranks,
            rank_between(None, ranks[0]) if at_the_front else rank_between(ranks[-1], None),
        )
    assert {len(rank) for rank in ranks} == {5}
    assert len(ranks) == times + 1


@given(st.lists(st.booleans(), min_size=1, max_size=600))
def test_each_insertion_into_one_gap_costs_a_fifth_of_a_digit_at_most(left: list[bool]) -> None:
    before, after = FIRST, rank_between(FIRST, None)
    for beside_the_left in left:
        between = rank_between(before, after)
        assert before < between < after
        if beside_the_left:
            after = between
        else:
            before = between
    assert len(between) <= 5 + 1 + len(left) // 5


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, None, "V0000"),
        ("V0000", None, "V0001"),
        ("V000z", None, "V0010"),
        (None, "V0000", "Uzzzz"),
        ("V0000", "V0002", "V0001"),
        ("V0000", "V0001", "V0000V"),
        ("V0000V", "V0001", "V0000k"),
        ("V0000", "V0000V", "V0000F"),
        ("V0000", "V00001", "V00000V"),
        ("V0000", "V0001V", "V0001"),
        ("zzzzz", None, "zzzzzV"),
        (None, "00001", "00000V"),
        (None, "00000V", "00000F"),
    ],
)
def test_a_rank_is_as_short_as_it_can_be(
    before: str | None, after: str | None, expected: str
) -> None:
    assert rank_between(before, after) == expected


@pytest.mark.parametrize(("before", "after"), [("V0001", "V0000"), ("V0000", "V0000")])
def test_there_is_nothing_between_what_is_in_the_wrong_order(before: str, after: str) -> None:
    with pytest.raises(ValueError, match="does not come before"):
        rank_between(before, after)
