"""The OpenAPI 3.1 document of the API. drf-spectacular finds the routes and frames it."""

from __future__ import annotations

from functools import cache

import msgspec
from drf_spectacular.generators import SchemaGenerator

from infrastructure.http.openapi.headers import HEADERS
from infrastructure.http.openapi.schemas import Json


def document() -> Json:
    """The whole document, in an order that does not depend on the run."""
    document = dict(SchemaGenerator().get_schema(request=None, public=True))
    document["components"] = {**document["components"], "headers": HEADERS}
    return document


@cache
def document_json() -> bytes:
    """The document as it is served: it cannot change while the process runs."""
    return msgspec.json.encode(document())
