"""Operations of the OpenAPI document: what views declare, spelt out.

Each is written here and not by drf-spectacular, because everything it says (types, problems,
headers, scopes) comes from `@operation` and msgspec.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import uritemplate
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ComponentRegistry, ResolvedComponent

from infrastructure.auth.errors import InvalidToken, MissingScope, NotAuthenticated
from infrastructure.auth.permissions import AUTHENTICATED, PUBLIC, OrGuest, Requirement
from infrastructure.errors import DomainError, StaleVersion
from infrastructure.http import errors, idempotency, problems
from infrastructure.http.decoding import InvalidBody, InvalidJson, InvalidParameters
from infrastructure.http.openapi.examples import example_of_type, examples_of
from infrastructure.http.openapi.headers import (
    PROBLEM_HEADERS,
    answer_headers,
    header,
    headers_named,
    parameters_of,
)
from infrastructure.http.openapi.schemas import Json, fields_of, schema_of, without_null
from infrastructure.http.operation import Operation
from infrastructure.http.requests import JSON, MERGE_PATCH
from infrastructure.http.uploads import FILE, FORM

if TYPE_CHECKING:
    from infrastructure.http.views import APIView

SECURITY_SCHEME = "accessToken"

# A body that is a file: bytes of whatever the media type says.
_FILE: Json = {"schema": {"type": "string", "format": "binary"}}
_ANSWERS = {
    200: "Done.",
    201: "Created.",
    202: "Accepted; it is decided later.",
    204: "Done; there is nothing to say.",
    301: "It has moved: this is an address of before.",
}


class Schema(AutoSchema):
    """Writes one operation of an `infrastructure.http.views.APIView`."""

    view: APIView  # type: ignore[override]

    def get_operation(
        self, path: str, path_regex: str, path_prefix: str, method: str, registry: ComponentRegistry
    ) -> Json | None:
        self.path, self.path_regex, self.path_prefix = path, path_regex, path_prefix
        self.method, self.registry = method.upper(), registry
        endpoint = self.view.endpoints[self.method]
        declared = endpoint.operation
        operation_id = self._operation_id()
        self.examples = examples_of(type(self.view).__module__, operation_id)
        written: Json = {
            "operationId": operation_id,
            "summary": declared.summary,
            "tags": [_tag(type(self.view).__module__, path)],
        }
        if declared.description:
            written["description"] = declared.description
        parameters = [*self._path_parameters(), *parameters_of(declared, self.method)]
        if parameters:
            written["parameters"] = parameters
        if declared.body is not None or declared.uploads:
            written["requestBody"] = self._request_body(declared)
        elif declared.form is not None:
            written["requestBody"] = _form(declared.form, self.examples.get("body"))
        written["security"] = _security(endpoint.requirement)
        written["responses"] = {
            **self._answers(declared),
            **self._problems(declared, endpoint.requirement),
        }
        return written

    def _operation_id(self) -> str:
        words = [part.replace("-", "_") for part in self._tokenize_path()]
        words += re.findall(r"\{(\w+)\}$", self.path)
        return "_".join([self.method.lower(), *words])

    def _path_parameters(self) -> list[Json]:
        return [
            {**parameter, "required": True}
            for parameter in self._resolve_path_parameters(  # type: ignore[no-untyped-call]
                uritemplate.variables(self.path)
            )
        ]

    def _request_body(self, declared: Operation) -> Json:
        if declared.uploads:
            return {
                "required": True,
                "content": _files(declared.uploads, self.examples.get("body")),
            }
        content: Json = {"schema": self._ref(declared.body)}
        if declared.examples:
            content["examples"] = {
                name: {"value": msgspec.to_builtins(value)}
                for name, value in declared.examples.items()
            }
        elif "body" in self.examples:
            content["example"] = self.examples["body"]
        kinds = (JSON, MERGE_PATCH) if self.method == "PATCH" else (JSON,)
        return {"required": True, "content": dict.fromkeys(kinds, content)}

    def _answers(self, declared: Operation) -> Json:
        answers: Json = {}
        for status, answer_type in declared.responses.items():
            answers[str(status)] = {
                "description": _ANSWERS[status],
                "headers": self._headers(declared, status),
            }
            if status == 200 and declared.downloads:
                told = self.examples.get("200")
                files = _files(declared.downloads, told)
                if answer_type is not None:
                    shown = {"schema": self._ref(answer_type)}
                    if told and JSON in told:
                        shown["example"] = told[JSON]
                    files = {JSON: shown, **files}
                answers["200"]["content"] = files
            elif answer_type is not None:
                content = {"schema": self._ref(answer_type), **self._shown(answer_type, status)}
                answers[str(status)]["content"] = {JSON: content}
        if declared.etag and self.method == "GET":
            answers["304"] = {
                "description": "The version that If-None-Match names is the current one.",
                "headers": headers_named("X-Request-ID", "ETag"),
            }
        return answers

    def _shown(self, answer_type: Any, status: int) -> Json:
        """The example of an answer: its own, the shared one of its type, or one upon the other."""
        told, shared = self.examples.get(str(status)), example_of_type(answer_type)
        if shared is None:
            return {} if told is None else {"example": told}
        if told is not None:
            return {"example": shared | told}
        name = self._ref(answer_type)["$ref"].rsplit("/", 1)[1]
        component = ResolvedComponent(
            name, ResolvedComponent.EXAMPLE, {"value": shared}, msgspec.Struct
        )
        self.registry.register_on_missing(component)
        return {"examples": {"example": component.ref}}

    def _headers(self, declared: Operation, status: int) -> Json:
        with_token = self.view.changes_what_is_shown
        common = answer_headers(declared, self.method, status, with_token=with_token)
        own = {name: header(told) for name, told in declared.headers.items()}
        return headers_named(*common) | own

    def _problems(self, declared: Operation, requirement: Requirement) -> Json:
        by_status: dict[int, list[type[DomainError]]] = {}
        # What a context says itself about a code goes before what is said in general.
        first_of: dict[str, type[DomainError]] = {}
        for error in self._refusals(declared, requirement):
            first_of.setdefault(error.code, error)
        for error in first_of.values():
            by_status.setdefault(error.status, []).append(error)
        return {
            str(status): self._problem(status, by_status[status]) for status in sorted(by_status)
        }

    def _refusals(
        self, declared: Operation, requirement: Requirement
    ) -> Iterable[type[DomainError]]:
        yield from declared.errors
        yield from (InvalidParameters, errors.RateLimited)
        if not declared.downloads:
            yield errors.NotAcceptable
        yield from (errors.InternalError, errors.Unavailable)
        if declared.body is not None or declared.uploads:
            yield from (InvalidJson, InvalidBody, errors.LengthRequired)
            yield from (errors.BodyTooLarge, errors.UnsupportedMediaType)
        elif declared.form is not None:
            yield from (errors.BadRequest, InvalidBody, errors.LengthRequired)
            yield from (errors.BodyTooLarge, errors.UnsupportedMediaType)
        if declared.idempotency:
            yield from (errors.InvalidHeader, errors.IdempotencyKeyReused, idempotency.Duplicate)
        if declared.idempotency == "required":
            yield errors.IdempotencyKeyRequired
        if declared.if_match:
            yield from (errors.InvalidHeader, StaleVersion)
        if declared.if_match == "required":
            yield errors.IfMatchRequired
        if declared.query is not None and "cursor" in declared.query.__struct_fields__:
            yield errors.InvalidCursor
        if not self.view.ignores_credentials:
            yield InvalidToken
        if requirement is not PUBLIC:
            yield NotAuthenticated
            if requirement is not AUTHENTICATED:
                yield MissingScope
        if "{" in self.path and not any(error.status == 404 for error in declared.errors):
            yield errors.NotFound

    def _problem(self, status: int, refused: Sequence[type[DomainError]]) -> Json:
        """A response component, since many operations are refused in the same ways."""
        schema = {
            "description": "\n".join(f"- `{error.code}`: {error.title}" for error in refused),
            "headers": headers_named(*PROBLEM_HEADERS.get(status, ("X-Request-ID",))),
            "content": {
                problems.MEDIA_TYPE: {
                    "schema": self._schema_of_problem(refused),
                    "examples": {error.code: self._example(error) for error in refused},
                }
            },
        }
        name = "-".join(error.code for error in refused)
        component = ResolvedComponent(name, ResolvedComponent.RESPONSE, schema, DomainError)
        self.registry.register_on_missing(component)
        return component.ref

    def _schema_of_problem(self, refused: Sequence[type[DomainError]]) -> Json:
        extensions = {
            name: {"type": "string", "description": f"Of `{error.code}`: {meaning}"}
            for error in refused
            for name, meaning in error.extensions.items()
        }
        problem: Json = self._ref(problems.Problem)
        return {"allOf": [problem, {"properties": extensions}]} if extensions else problem

    def _example(self, error: type[DomainError]) -> Json:
        value = {
            "type": f"/problems/{error.code}",
            "title": error.title,
            "status": error.status,
            "detail": error.title,
            "instance": "/api/v1/example",
            "code": error.code,
            "trace_id": "0198c7a1b2c37d4e8f90a1b2c3d4e5f6",
            "errors": [],
        }
        component = ResolvedComponent(
            error.code, ResolvedComponent.EXAMPLE, {"value": value}, DomainError
        )
        self.registry.register_on_missing(component)
        return component.ref

    def _ref(self, struct: Any) -> Json:
        schema, components = schema_of(struct)
        for name, component in components.items():
            self.registry.register_on_missing(
                ResolvedComponent(name, ResolvedComponent.SCHEMA, component, msgspec.Struct)
            )
            if self.registry[name, ResolvedComponent.SCHEMA].schema != component:
                raise ValueError(f"Two types are called {name}; the API cannot tell them apart.")
        return schema


def _tag(module: str, path: str) -> str:
    package = re.match(r"(?:domains|infrastructure)\.(\w+)\.", module)
    return package[1] if package else path.strip("/").split("/")[0]


def _security(requirement: Requirement) -> list[Json]:
    if requirement is PUBLIC:
        return [{}]
    if isinstance(requirement, OrGuest):
        guest: Json = {requirement.credential: []} if requirement.credential else {}
        return [{SECURITY_SCHEME: [requirement.scope]}, guest]
    return [{SECURITY_SCHEME: [] if requirement is AUTHENTICATED else [requirement]}]


def _files(media_types: Sequence[str], examples: Json | None) -> Json:
    told = examples or {}
    return {
        media_type: {**_FILE, "example": told[media_type]} if media_type in told else _FILE
        for media_type in media_types
    }


def _form(form: type[msgspec.Struct], example: Json | None) -> Json:
    """A multipart form: the fields of the type, and one file."""
    fields = fields_of(form)
    properties = {name: without_null(dict(field)) for name, field in fields["properties"].items()}
    file = {"type": "string", "format": "binary"}
    content: Json = {
        "schema": {
            "type": "object",
            "required": [FILE, *fields.get("required", ())],
            "properties": {FILE: file, **properties},
            "additionalProperties": False,
        }
    }
    if example is not None:
        content["example"] = example
    return {"required": True, "content": {FORM: content}}
