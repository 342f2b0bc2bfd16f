"""Examples of bodies and answers: JSON files beside the views, which name each by operation.

Those of `api/views/prices.py` or `api/prices.py` are in `api/examples/prices.json`, those of
`api/views.py` in `api/examples.json`: operation id -> {"body": …, "200": …}. What is a file and no
JSON is told per media type.

A type that several operations answer with has its example once, under its name in
`api/examples/components.json`. Operations show that one; an answer that looks otherwise (an order
that is still undecided) only tells the fields that differ.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

Json = dict[str, Any]


def examples_of(module: str, operation_id: str) -> Json:
    """What is told of an operation: `body` and the statuses of answers that have an example."""
    views = Path(sys.modules[module].__file__ or "")
    if views.stem == "views":
        return _read(views.with_name("examples.json")).get(operation_id, {})
    return _read(_api_of(views) / "examples" / f"{views.stem}.json").get(operation_id, {})


def example_of_type(answer: Any) -> Json | None:
    """The example that all operations share that answer with this type, if it has one."""
    serializers = Path(sys.modules[answer.__module__].__file__ or "")
    shared = _read(_api_of(serializers) / "examples" / "components.json")
    return shared.get(answer.__name__)


def _api_of(module: Path) -> Path:
    """The folder `api` of its context: modules are in it, or in a package of it."""
    return module.parent if module.parent.name == "api" else module.parents[1]


@cache
def _read(file: Path) -> dict[str, Json]:
    return msgspec.json.decode(file.read_bytes(), type=dict[str, Json]) if file.exists() else {}
