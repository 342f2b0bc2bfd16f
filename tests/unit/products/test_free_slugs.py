"""Slugs for many names at once."""

from __future__ import annotations

from collections.abc import Collection

from domains.products.rules.slugs import MAX_SLUG_NUMBER, free_slugs


class Taken:
    def __init__(self, *slugs: str) -> None:
        self.slugs = set(slugs)
        self.asked: list[int] = []

    def __call__(self, slugs: Collection[str]) -> set[str]:
        self.asked.append(len(slugs))
        return self.slugs & set(slugs)


def made(names: list[str], taken: Taken, *reserved: str) -> list[str]:
    return free_slugs(names, taken_among=taken, otherwise=lambda: "x", reserved=reserved)


def test_names_that_nobody_has_need_one_question() -> None:
    taken = Taken()
    assert made(["Red cup", "Blue cup"], taken) == ["red-cup", "blue-cup"]
    assert taken.asked == [2]


def test_equal_names_are_numbered_around_what_is_taken() -> None:
    taken = Taken("cup", "cup-3")
    assert made(["Cup", "Pot", "Cup", "Cup"], taken, "cup-2", "pot") == [
        "cup-4",
        "pot-2",
        "cup-5",
        "cup-6",
    ]
    assert taken.asked == [2, 10]


def test_a_name_that_many_have_is_looked_at_further() -> None:
    taken = Taken("cup", *(f"cup-{number}" for number in range(2, 10)))
    assert made(["Cup"], taken) == ["cup-10"]
    assert taken.asked == [1, 5, MAX_SLUG_NUMBER - 6]
    full = Taken("cup", *(f"cup-{number}" for number in range(2, MAX_SLUG_NUMBER + 1)))
    assert made(["Cup"], full) == ["cup-x"]
    assert made(["Cup"] * 8, Taken()) == ["cup", *(f"cup-{number}" for number in range(2, 9))]
