from __future__ import annotations

import re
from uuid import UUID

import pytest

from domains.products.errors import InvalidQuantity
from domains.products.rules import names, slugs
from domains.products.rules import stock as rules
from domains.products.rules.stock import HoldLine

FIRST, SECOND = UUID(int=1), UUID(int=2)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("WHITE HANGING HEART T-LIGHT HOLDER", "white-hanging-heart-t-light-holder"),
        ("  Glühwein  Cup, red/blue ", "gluhwein-cup-red-blue"),
        ("Фонарь белый", "фонарь-белый"),
        ("snake_case", "snake-case"),
        ("№ 5", "no-5"),
        ("***", "item"),
    ],
)
def test_a_slug_keeps_letters_of_any_script(name: str, slug: str) -> None:
    assert slugs.slug_of(name) == slug


@pytest.mark.parametrize("pattern", [names.SKU, names.EXTERNAL_ID, names.SLUG, names.CODE])
@pytest.mark.parametrize(
    "name", [".", "..", "a/b", "a\\b", "a\nb", "a\x01", "a\n", " a", "a ", "", "a  b"]
)
def test_nothing_is_named_by_what_paths_do_not_keep(pattern: str, name: str) -> None:
    assert re.search(pattern, name) is None


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        (names.SKU, "..."),
        (names.SKU, "A.1 b"),
        (names.SKU, ".5-L"),
        (names.EXTERNAL_ID, "..a"),
        (names.EXTERNAL_ID, "http:4%2e"),
        (names.SLUG, "v1.5"),
        (names.SLUG, "..лампа"),
        (names.CODE, "0_a-b"),
    ],
)
def test_dots_within_a_name_are_fine(pattern: str, name: str) -> None:
    assert re.search(pattern, name) is not None


@pytest.mark.parametrize("slug", [".", "..", "bulk", "external:a", str(UUID(int=1))])
def test_what_is_taken_for_something_else_is_no_slug(slug: str) -> None:
    assert not slugs.is_slug(slug)
    assert slugs.is_slug(f"{slugs.slug_of(slug)}-x")


def test_a_slug_leaves_room_for_what_comes_behind_it() -> None:
    slug = slugs.slug_of("word " * 100)
    assert len(f"{slug}-c7a1b2c3d4e") <= slugs.MAX_SLUG_LENGTH
    assert not slug.endswith("-")


def test_a_taken_slug_is_numbered_until_numbers_run_out() -> None:
    taken = {"cup"}
    assert slugs.free_slug("cup", set(), otherwise="x") == "cup"
    assert slugs.free_slug("cup", taken, otherwise="x") == "cup-2"
    taken |= {"cup-2", "cup-4"}
    assert slugs.free_slug("cup", taken, otherwise="x") == "cup-3"
    assert (
        slugs.free_slug("cup", taken | set(slugs.numbered_slugs("cup")), otherwise="x") == "cup-x"
    )


def line(variant_id: UUID, quantity: int) -> HoldLine:
    return HoldLine(variant_id=variant_id, sku=f"S{variant_id.int}", quantity=quantity)


def test_lines_are_summed_per_variant_in_the_order_of_their_ids() -> None:
    summed = rules.summed([line(SECOND, 1), line(FIRST, 2), line(SECOND, 3)])
    assert summed == (line(FIRST, 2), line(SECOND, 4))


@pytest.mark.parametrize(
    "quantities", [[], [0], [2, -1], [rules.MAX_QUANTITY, 1], [rules.MAX_QUANTITY + 1]]
)
def test_impossible_quantities_are_refused(quantities: list[int]) -> None:
    with pytest.raises(InvalidQuantity):
        rules.summed([line(FIRST, quantity) for quantity in quantities])
