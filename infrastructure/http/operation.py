"""What a view method declares about itself; dispatch and the OpenAPI document both read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import msgspec

from infrastructure.errors import DomainError
from infrastructure.http.types import Body, Query

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    summary: str
    description: str = ""
    body: type[Body] | None = None
    form: type[Body] | None = None
    query: type[Query] | None = None
    responses: Mapping[int, Any] = field(default_factory=dict)
    errors: Sequence[type[DomainError]] = ()
    idempotency: Literal["required", "accepted"] | None = None
    if_match: Literal["required", "accepted"] | None = None
    etag: bool = False
    respond_async: bool = False
    examples: Mapping[str, Any] = field(default_factory=dict)
    uploads: Sequence[str] = ()
    downloads: Sequence[str] = ()
    retry_after: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)


def operation(
    *,
    summary: str,
    description: str = "",
    body: type[Body] | None = None,
    form: type[Body] | None = None,
    query: type[Query] | None = None,
    responses: Mapping[int, Any],
    errors: Sequence[type[DomainError]] = (),
    idempotency: Literal["required", "accepted"] | None = None,
    if_match: Literal["required", "accepted"] | None = None,
    etag: bool = False,
    respond_async: bool = False,
    examples: Mapping[str, Any] | None = None,
    uploads: Sequence[str] = (),
    downloads: Sequence[str] = (),
    retry_after: bool = False,
    headers: Mapping[str, str] | None = None,
) -> Callable[[View], View]:
    """Declare a view method.

    body, query: their types; without them a body with fields, or any parameter, is refused.
    form: the fields beside the one file of a multipart form, for uploads, instead of a body.
    responses: status -> type of the answer, None for one without a body.
    errors: the refusals that the context adds; those of HTTP itself are known.
    idempotency, if_match: whether the header is demanded or only understood.
    etag: the answer carries one, and a GET understands If-None-Match.
    respond_async: `Prefer: respond-async` is honoured.
    examples: name -> request body; those of answers are in files (`openapi.examples`).
    uploads: media types of a body that is a file and no JSON; the view reads it by `upload`.
    downloads: media types of an answer (200) that is a file and no JSON. Where that answer has a
        type as well, the caller chooses by Accept, and the view asks `preferred`.
    retry_after: the answer (200 or 202) may say when to ask again.
    headers: name -> what it says, of headers that no other operation's answers have.
    """
    for known in (body, form, query, *responses.values()):
        if known is not None:
            # msgspec looks at a type when it is first decoded, and crashes the process if two
            # threads do that at once. Modules are imported by one thread. An answer, or a part of
            # it, may be made of what was stored as JSON.
            msgspec.json.Decoder(known)
    declared = Operation(
        summary=summary,
        description=description,
        body=body,
        form=form,
        query=query,
        responses=responses,
        errors=errors,
        idempotency=idempotency,
        if_match=if_match,
        etag=etag,
        respond_async=respond_async,
        examples=examples or {},
        uploads=uploads,
        downloads=downloads,
        retry_after=retry_after,
        headers=headers or {},
    )

    def declare(view: View) -> View:
        view.operation = declared  # type: ignore[attr-defined]
        return view

    return declare
