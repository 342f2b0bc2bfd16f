"""What somebody was asked for a variant over time, by several price lists and the base, pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from domains.products.rules.price_lists import ListTerms
from domains.products.rules.prices import (
    PRIOR_PERIOD,
    Entry,
    Reduction,
    instants_of,
    reduction_at,
    unit_price_at,
)

# The terms of a list, and until when they were those; None: they still are.
TermsOverTime = tuple[tuple[datetime | None, ListTerms], ...]


@dataclass(frozen=True, slots=True)
class Past:
    """What one price list, or the base, asked for a variant.

    terms: of the list, in order; none of the base, which holds for everybody at any time.
    """

    entries: Sequence[Entry]
    terms: TermsOverTime = ()

    def rank_at(
        self, at: datetime, *, channel: str | None, customer_group: str | None
    ) -> tuple[int, int, str] | None:
        """Its place among those that were asked in turn, None where it was not asked."""
        if not self.terms:
            return 1, 0, ""
        terms = next(terms for until, terms in self.terms if until is None or at < until)
        if not terms.holds(channel=channel, customer_group=customer_group, now=at):
            return None
        return 0, -terms.priority, terms.code

    @property
    def instants(self) -> Iterable[datetime]:
        yield from instants_of(self.entries)
        for until, terms in self.terms:
            yield from (at for at in (until, terms.valid_from, terms.valid_until) if at is not None)


def asked_at(
    pasts: Sequence[Past], at: datetime, *, channel: str | None, customer_group: str | None
) -> tuple[Past, int] | None:
    """Whose price of one piece it was that somebody was asked then, and how much; None: nothing."""
    ranked = []
    for place, past in enumerate(pasts):
        rank = past.rank_at(at, channel=channel, customer_group=customer_group)
        if rank is not None:
            ranked.append((rank, place))
    for _, place in sorted(ranked):
        amount_minor = unit_price_at(pasts[place].entries, at)
        if amount_minor is not None:
            return pasts[place], amount_minor
    return None


def reduction_asked(
    own: Past,
    pasts: Sequence[Past],
    *,
    channel: str | None,
    customer_group: str | None,
    now: datetime,
) -> Reduction | None:
    """The reduction of `own`, one of the pasts, for somebody who is asked its price now.

    It began when they were asked it without a break until now. The lowest price of the 30 days
    before (Directive 98/6/EC, article 6a) is the lowest that was asked of them at any moment,
    whichever list it was from.
    """
    reduction = reduction_at(own.entries, now)
    if reduction is None or reduction.since is None:
        return reduction
    who = {"channel": channel, "customer_group": customer_group}
    instants = sorted({instant for past in pasts for instant in past.instants})
    since = now
    for instant in reversed(
        [reduction.since, *(i for i in instants if reduction.since < i <= now)]
    ):
        asked = asked_at(pasts, instant, **who)
        if asked is None or asked[0] is not own:
            break
        since = instant
    start = since - PRIOR_PERIOD
    moments = [start, *(instant for instant in instants if start < instant < since)]
    amounts = [asked[1] for at in moments if (asked := asked_at(pasts, at, **who)) is not None]
    return replace(reduction, lowest_30d_minor=min(amounts, default=None), since=since)


def noted(terms: ListTerms, until: datetime) -> list[Any]:
    """Terms that held until an instant, as JSON; read by `over_time`."""
    bounds = (until, terms.valid_from, terms.valid_until)
    told = [None if at is None else at.isoformat() for at in bounds]
    return [*told, terms.priority, terms.channel, terms.customer_group, terms.active]


def over_time(former: Iterable[Sequence[Any]], present: ListTerms) -> TermsOverTime:
    """The former terms of a list, as `noted` wrote them, and those of now."""
    return (
        *(
            (
                datetime.fromisoformat(until),
                replace(
                    present,
                    valid_from=None if start is None else datetime.fromisoformat(start),
                    valid_until=None if end is None else datetime.fromisoformat(end),
                    priority=priority,
                    channel=channel,
                    customer_group=customer_group,
                    active=active,
                ),
            )
            for until, start, end, priority, channel, customer_group, active in former
        ),
        (None, present),
    )
