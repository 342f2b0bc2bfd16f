"""Which kinds of operations there are, and what carries each of them out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from infrastructure.operations.work import Work

Body = Callable[[Work], None]
Registered = TypeVar("Registered", bound=Body)


@dataclass(frozen=True, slots=True)
class Kind:
    """`scope`: who may see and cancel such an operation, beside the one who asked for it;
    `exceptions`: another scope where a parameter has a certain value."""

    name: str
    scope: str
    body: Body
    exceptions: Mapping[tuple[str, str], str] = field(default_factory=dict)

    @property
    def context(self) -> str:
        return self.name.partition(".")[0]

    def scope_of(self, params: Mapping[str, Any]) -> str:
        """The scope of an operation with these parameters, which is written down with it."""
        for (name, value), scope in self.exceptions.items():
            if params.get(name) == value:
                return scope
        return self.scope


_kinds: dict[str, Kind] = {}


def runs(
    name: str, *, scope: str, exceptions: Mapping[tuple[str, str], str] | None = None
) -> Callable[[Registered], Registered]:
    """Declare what carries out operations of a kind. `name` is `<context>.<what>`.

    exceptions: (parameter, value) -> the scope of operations of which that is said, instead of
        `scope`: for what shows more than others of its kind do.

    The body may be called again at any time, in another process, after one that was killed: all it
    knows is what `Work` tells it.
    """

    def register(body: Registered) -> Registered:
        if name in _kinds:
            raise ValueError(f"{name} is registered twice.")
        _kinds[name] = Kind(name, scope, body, exceptions or {})
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
    return frozenset(
        scope for kind in _kinds.values() for scope in (kind.scope, *kind.exceptions.values())
    )
