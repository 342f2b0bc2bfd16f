"""Examples of bodies and answers: JSON files beside the views, which name each by operation.

Those of `api/views/prices.py` or `api/prices.py` are in `api/examples/prices.json`, those of
`api/views.py` in `api/examples.json`: operation id -> {"body": …, "200": …}. What is a file and no
JSON is told per media type.
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
    api = views.parents[1] if views.parent.name == "views" else views.parent
    return _read(api / "examples" / f"{views.stem}.json").get(operation_id, {})


@cache
def _read(file: Path) -> dict[str, Json]:
    return msgspec.json.decode(file.read_bytes(), type=dict[str, Json]) if file.exists() else {}
