"""Settings from the environment, checked when the process starts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import environ
from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T")


class Environment:
    """Reads variables, or the files that `<NAME>_FILE` names, and collects what is wrong.

    `check()` raises one ImproperlyConfigured with every missing or malformed variable, so that an
    operator mends a deployment once and not variable by variable.
    """

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        self._env = environ.FileAwareEnv()
        if variables is not None:
            self._env.ENVIRON = environ.FileAwareMapping(env=variables)
        self._problems: list[str] = []

    def texts(self, names: Iterable[str]) -> dict[str, str]:
        """Those of these variables that are given."""
        found = {name: self.text(name, "") for name in names}
        return {name: value for name, value in found.items() if value}

    def text(self, name: str, default: str | None = None) -> str:
        """Required unless it has a default. Surrounding white space is no part of a value."""
        return self._read(name, lambda: str(self._env.str(name)).strip(), default, "")

    def flag(self, name: str, default: bool) -> bool:
        return self._read(name, lambda: bool(self._env.bool(name)), default, False)

    def integer(self, name: str, default: int) -> int:
        return self._read(name, lambda: int(self._env.int(name)), default, 0)

    def number(self, name: str, default: float) -> float:
        return self._read(name, lambda: float(self._env.float(name)), default, 0.0)

    def items(self, name: str, default: list[str] | None = None) -> list[str]:
        """A comma-separated list."""
        return self._read(name, lambda: [str(item) for item in self._env.list(name)], default, [])

    def integers(self, name: str, default: list[int]) -> list[int]:
        """A comma-separated list of whole numbers."""
        return self._read(name, lambda: [int(item) for item in self._env.list(name)], default, [])

    def mapping(self, name: str, default: dict[str, str] | None = None) -> dict[str, str]:
        """`key=value` pairs, separated by commas."""
        return self._read(name, lambda: dict(self._env.dict(name)), default, {})

    def require(self, condition: Any, problem: str) -> None:
        """A rule between variables, or a rule of this kind of installation."""
        if not condition:
            self.refuse(problem)

    def refuse(self, problem: str) -> None:
        """What has been found wrong already."""
        self._problems.append(problem)

    def check(self) -> None:
        if self._problems:
            listed = "\n".join(f"  - {problem}" for problem in self._problems)
            raise ImproperlyConfigured(f"The environment does not do:\n{listed}")

    def _read(self, name: str, read: Callable[[], T], default: T | None, nothing: T) -> T:
        try:
            if not str(self._env.ENVIRON.get(name, "")).strip():
                if default is None:
                    self._problems.append(f"{name} (or {name}_FILE) is missing")
                    return nothing
                return default
            return read()
        except OSError as error:
            self._problems.append(f"{name}_FILE cannot be read: {error.strerror}")
        except (ValueError, TypeError):
            self._problems.append(f"{name} is malformed")
        return nothing
