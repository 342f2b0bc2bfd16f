"""Categories of a file in an order in which each comes after the one it lies in."""

from __future__ import annotations

from collections.abc import Sequence

from domains.products.rules.imports.reading import Item
from domains.products.rules.slugs import EXTERNAL


def parents_first(items: Sequence[Item]) -> list[Item]:
    """Level by level; within a level as the file has them. `end` counts them anew.

    What lies in itself, by whatever way, is refused.
    """
    by_name: dict[str, Item] = {}
    for item in items:
        if item.value is not None:
            if item.value.external_id:
                by_name[EXTERNAL + item.value.external_id] = item
            if item.value.slug:
                by_name[item.value.slug] = item
    levels: dict[int, int] = {}
    for item in items:
        _find_level(item, by_name, levels)
    ordered = sorted(items, key=lambda item: levels[id(item)])
    for number, item in enumerate(ordered, start=1):
        item.end = number
    return ordered


def _find_level(item: Item, by_name: dict[str, Item], levels: dict[int, int]) -> None:
    way: list[Item] = []
    on_way: set[int] = set()
    at: Item | None = item
    while at is not None and id(at) not in levels and id(at) not in on_way:
        way.append(at)
        on_way.add(id(at))
        parent = None if at.value is None else at.value.parent
        at = by_name.get(parent) if parent else None
    if at is not None and id(at) in on_way:
        circle = way[way.index(at) :]
        for member in circle:
            member.fault("category_cycle", "It would lie below itself.", "/parent")
            member.value = None
            levels[id(member)] = 0
        way = way[: len(way) - len(circle)]
    level = -1 if at is None else levels[id(at)]
    for member in reversed(way):
        level += 1
        levels[id(member)] = level
