"""Headers that operations take and answer with, and other parameters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from infrastructure.database import consistency
from infrastructure.http.openapi.schemas import Json, fields_of, without_null
from infrastructure.http.operation import Operation


def parameters_of(declared: Operation, method: str) -> Iterable[Json]:
    if declared.query is not None:
        yield from _query_parameters(declared.query)
    if declared.idempotency:
        yield _header_parameter(
            "Idempotency-Key",
            "New for every new request; the same for a repetition, which then gets the first"
            " one's outcome. Kept for 72 hours.",
            {"type": "string", "minLength": 1, "maxLength": 255},
            required=declared.idempotency == "required",
        )
    if declared.if_match:
        yield _header_parameter(
            "If-Match",
            "The ETag of the version that the change is based on.",
            {"type": "string", "maxLength": 100, "examples": ['"v7"']},
            required=declared.if_match == "required",
        )
    if declared.etag and method == "GET":
        yield _header_parameter(
            "If-None-Match",
            "The ETag of the version that the caller has.",
            {"type": "string", "maxLength": 1000},
        )
    if method == "GET":
        yield _header_parameter(
            consistency.HEADER,
            "As a write answered with it: the answer is not older than that write.",
            {"type": "string", "maxLength": 2500},
        )
    if declared.respond_async:
        yield _header_parameter(
            "Prefer",
            "`respond-async`: accept now, decide later (RFC 7240).",
            {"type": "string", "maxLength": 200, "examples": ["respond-async"]},
        )


def _header_parameter(name: str, description: str, schema: Json, *, required: bool = False) -> Json:
    return {
        "name": name,
        "in": "header",
        "required": required,
        "description": description,
        "schema": schema,
    }


def _query_parameters(query: type[msgspec.Struct]) -> Iterable[Json]:
    properties = fields_of(query)
    for name, field in properties["properties"].items():
        field = without_null(dict(field))
        description = field.pop("description", "")
        yield {
            "name": name,
            "in": "query",
            "required": name in properties.get("required", ()),
            **({"description": description} if description else {}),
            "schema": field,
        }


def answer_headers(
    declared: Operation, method: str, status: int, *, with_token: bool
) -> Iterable[str]:
    yield from ("X-Request-ID", "RateLimit-Policy", "RateLimit")
    if declared.etag and status in (200, 201, 202):
        yield "ETag"
    if status in (201, 202, 301):
        yield "Location"
    if declared.idempotency and method == "POST":
        yield "Idempotency-Replayed"
    if declared.respond_async and status == 202:
        yield "Preference-Applied"
    if declared.downloads and status == 200:
        yield "Content-Disposition"
    if declared.retry_after and status in (200, 202):
        yield "Retry-After"
    if with_token and method != "GET":
        yield consistency.HEADER
    if declared.query is not None and "cursor" in declared.query.__struct_fields__:
        yield "Link"


def headers_named(*names: str) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def header(description: str, **schema: Any) -> Json:
    return {"description": description, "schema": {"type": "string", **schema}}


HEADERS: dict[str, Json] = {
    "X-Request-ID": header("Names this request in the logs; a caller may send its own."),
    "Content-Disposition": header("The name to save the file under."),
    "ETag": header("The version of the resource, for If-Match and If-None-Match."),
    "Location": header("The address of what was made or accepted.", format="uri-reference"),
    "Link": header('The next page, as `rel="next"` (RFC 8288).'),
    "Idempotency-Replayed": header("`true`: the key was used before, and this is what came of it."),
    "Preference-Applied": header("`respond-async`, where that was asked for and is done."),
    "RateLimit-Policy": header('The budget: `"default";q=600;w=60`.'),
    "RateLimit": header("What is left of it, and the seconds until it is full again."),
    consistency.HEADER: header("To be sent with reads that must see what this request did."),
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}},
    "WWW-Authenticate": header("How to authenticate."),
}
PROBLEM_HEADERS: dict[int, Sequence[str]] = {
    401: ("X-Request-ID", "WWW-Authenticate"),
    403: ("X-Request-ID", "WWW-Authenticate"),
    429: ("X-Request-ID", "Retry-After", "RateLimit-Policy", "RateLimit"),
    503: ("X-Request-ID", "Retry-After"),
}
