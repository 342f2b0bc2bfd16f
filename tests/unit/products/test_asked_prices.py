"""What somebody was asked over time, by lists and the base, and the reduction that is told of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from domains.products.rules.asked_prices import Past, asked_at, noted, over_time, reduction_asked
from domains.products.rules.price_lists import ListTerms, lists_for
from domains.products.rules.prices import Kind, price_at, reduction_at
from infrastructure.ids import new_id
from tests.support.price_entries import day, entries_of_a_price, instants, regular, sale

ANYBODY: dict[str, Any] = {"channel": None, "customer_group": None}


def a_list(*entries: Any, start: float = -100, end: float | None = None, **more: Any) -> Past:
    return Past(entries, ((None, terms(start, end, **more)),))


def terms(start: float | None, end: float | None, code: str = "a", **more: Any) -> ListTerms:
    return ListTerms(
        id=new_id(),
        code=code,
        currency="GBP",
        valid_from=None if start is None else day(start),
        valid_until=None if end is None else day(end),
        **{"priority": 0} | more,
    )


def lowest(pasts: Sequence[Past], at: float, **who: Any) -> int | None:
    """Of the first one's reduction."""
    found = reduction_asked(pasts[0], pasts, **ANYBODY | who, now=day(at))
    return None if found is None else found.lowest_30d_minor


def test_what_a_list_for_everybody_asked_before_counts() -> None:
    base = Past([regular(2000, -100), sale(1500, 0, number=2)])
    assert lowest([base], 1) == 2000
    assert lowest([base, a_list(regular(500, -20), end=-10)], 1) == 500
    assert lowest([base, a_list(regular(500, -50), end=-30)], 1) == 2000
    assert lowest([base, a_list(regular(500, -50), end=-29.9)], 1) == 500


def test_what_nobody_was_asked_does_not_count() -> None:
    base = Past([regular(2000, -100), sale(300, -20, -10, number=2), sale(1500, 0, number=3)])
    assert lowest([base], 1) == 300
    assert lowest([base, a_list(regular(2500, -40), start=-40, end=0)], 1) == 2500


def test_what_a_group_was_asked_counts_for_the_group() -> None:
    base = Past([regular(2000, -100), sale(1500, 0, number=2)])
    trade = a_list(regular(500, -20), end=-10, customer_group="trade")
    assert lowest([base, trade], 1) == 2000
    assert lowest([base, trade], 1, customer_group="trade") == 500


def test_a_sale_that_a_list_interrupts_begins_anew() -> None:
    base = Past([regular(2000, -100), sale(1500, 0, number=2)])
    during = a_list(regular(500, -20), start=5, end=10)
    assert [lowest([base, during], at) for at in (1, 10, 39)] == [2000, 500, 500]
    found = reduction_asked(base, [base, during], **ANYBODY, now=day(39))
    assert found is not None
    assert found.since == day(10)


def test_a_sale_in_a_list_begins_when_the_list_does() -> None:
    base = Past([regular(900, -100)])
    summer = a_list(regular(2000, -100), sale(1500, -90, number=2), start=0)
    assert lowest([summer, base], 1) == 900


def test_the_terms_that_a_list_had_then_count() -> None:
    base = Past([regular(2000, -100), sale(1500, 0, number=2)])
    present = terms(None, None, active=False)
    held = terms(None, None)
    former = [noted(terms(None, None, customer_group="trade"), day(-20)), noted(held, day(-10))]
    off = Past([regular(500, -50)], over_time(former, present))
    assert lowest([base, off], 1) == 500
    entries = [regular(700, -50, -20, number=1), regular(500, -20, -10, number=2)]
    assert lowest([base, Past(entries, over_time(former[:1], present))], 1) == 2000
    assert over_time([noted(held, day(3))], held) == ((day(3), held), (None, held))


some_terms = st.builds(
    lambda start, lasts, priority, group, active: terms(
        start,
        None if lasts is None else (start or -60) + lasts,
        priority=priority,
        customer_group=group,
        active=active,
    ),
    st.none() | instants,
    st.none() | st.integers(1, 60),
    st.integers(0, 2),
    st.sampled_from([None, None, "trade"]),
    st.sampled_from([True, True, False]),
)
lists_with_pasts = st.lists(
    st.tuples(entries_of_a_price, some_terms, some_terms, instants).map(
        lambda made: Past(made[0], over_time([noted(made[1], day(made[3]))], made[2]))
    ),
    max_size=3,
)


@given(entries_of_a_price, lists_with_pasts, instants, st.sampled_from([None, "trade"]))
def test_the_lowest_is_the_lowest_that_was_asked_at_any_moment_of_the_30_days(
    entries: list[Any], lists: list[Past], at: int, group: str | None
) -> None:
    """Against a plain reading of the law: every hour is asked for its price."""
    pasts = [Past(entries), *lists]
    asked_now = asked_at(pasts, day(at), channel=None, customer_group=group)
    if asked_now is None:
        return
    own = asked_now[0]
    found = reduction_asked(own, pasts, channel=None, customer_group=group, now=day(at))
    alone = reduction_at(own.entries, day(at))
    assert (found is None) == (alone is None)
    if found is None or alone is None:
        return
    assert found.regular_minor == alone.regular_minor
    assert found.since is not None
    assert alone.since is not None
    assert alone.since <= found.since <= day(at)

    def plainly(hour: Any) -> int | None:
        held = []
        for past in pasts:
            if past.terms:
                [one] = [t for until, t in past.terms if until is None or hour < until][:1]
                held.append((one, past))
        by_id = {one.id: past for one, past in held}
        turn = lists_for(
            [one for one, _ in held], currency="GBP", channel=None, customer_group=group, now=hour
        )
        for past in [*(by_id[one.id] for one in turn), pasts[0]]:
            applied = price_at(past.entries, 1, hour)
            if applied is not None:
                return applied.amount_minor
        return None

    hours = [found.since - timedelta(hours=hour) for hour in range(1, 30 * 24 + 1)]
    amounts = [amount for hour in hours[::4] if (amount := plainly(hour)) is not None]
    assert found.lowest_30d_minor == min(amounts, default=None)
    assert price_at(own.entries, 1, day(at)).kind == Kind.SALE  # type: ignore[union-attr]
