"""msgspec looks at a type when it is first decoded, and crashes the process if two threads do that
at once. So types are looked at where they are declared: a type that cannot be is refused there."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from infrastructure.events.event import Event, published
from infrastructure.http.operation import operation
from infrastructure.http.types import Body, Out, Query


class UnreadableBody(Body, frozen=True, kw_only=True):
    lines: list[Nowhere]  # type: ignore[name-defined]  # noqa: F821


class UnreadableQuery(Query, frozen=True, kw_only=True):
    state: Nowhere  # type: ignore[name-defined]  # noqa: F821


class UnreadableAnswer(Out, frozen=True, kw_only=True):
    state: Nowhere  # type: ignore[name-defined]  # noqa: F821


@dataclass(frozen=True, kw_only=True, slots=True)
class UnreadableEvent(Event):
    state: Nowhere  # type: ignore[name-defined]  # noqa: F821


def test_the_body_of_an_operation_is_looked_at_when_it_is_declared() -> None:
    with pytest.raises(NameError, match="Nowhere"):
        operation(summary="Place", body=UnreadableBody, responses={})


def test_the_query_of_an_operation_is_looked_at_when_it_is_declared() -> None:
    with pytest.raises(NameError, match="Nowhere"):
        operation(summary="List", query=UnreadableQuery, responses={})


def test_the_answers_of_an_operation_are_looked_at_when_it_is_declared() -> None:
    with pytest.raises(NameError, match="Nowhere"):
        operation(summary="Show", responses={200: list[UnreadableAnswer]})


def test_an_event_is_looked_at_when_it_is_published() -> None:
    with pytest.raises(NameError, match="Nowhere"):
        published("tests.unreadable", topic="test-events")(UnreadableEvent)
