"""Which kinds of operations there are, and what carries each of them out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from infrastructure.operations.work import Work

Body = Callable[[Work], None]
Registered = TypeVar("Registered", bound=Body)


@dataclass(frozen=True, slots=True)
class Kind:
    """`scope`: who may see and cancel such an operation, beside the one who asked for it."""

    name: str
    scope: str
    body: Body

    @property
    def context(self) -> str:
        return self.name.partition(".")[0]


_kinds: dict[str, Kind] = {}


def runs(name: str, *, scope: str) -> Callable[[Registered], Registered]:
    """Declare what carries out operations of a kind. `name` is `<context>.<what>`.

    The body may be called again at any time, in another process, after one that was killed: all it
    knows is what `Work` tells it.
    """

    def register(body: Registered) -> Registered:
        if name in _kinds:
            raise ValueError(f"{name} is registered twice.")
        _kinds[name] = Kind(name, scope, body)
        return body

    return register


def kind_named(name: str) -> Kind:
    """Raises LookupError for a kind that no context has registered."""
    try:
        return _kinds[name]
    except KeyError:
        raise LookupError(f"No context runs operations of the kind {name}.") from None


def scopes() -> frozenset[str]:
    """The scopes by which operations of some kind may be seen."""
    return frozenset(kind.scope for kind in _kinds.values())
