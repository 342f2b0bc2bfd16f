"""The OpenAPI 3.1 document of the API: what views declare, spelt out.

drf-spectacular finds the routes and frames the document. Each operation is written here, because
everything it says (types, problems, headers, scopes) comes from `@operation` and msgspec.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, get_args, get_origin

import msgspec
import uritemplate
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ComponentRegistry, ResolvedComponent

from infrastructure.auth.errors import InvalidToken, MissingScope, NotAuthenticated
from infrastructure.auth.permissions import AUTHENTICATED, PUBLIC, Requirement
from infrastructure.errors import DomainError
from infrastructure.http import errors, idempotency, problems
from infrastructure.http.decoding import InvalidBody, InvalidJson, InvalidParameters
from infrastructure.http.operation import Operation
from infrastructure.http.requests import JSON, MERGE_PATCH
from infrastructure.http.uploads import FILE, FORM

if TYPE_CHECKING:
    from infrastructure.http.views import APIView

Json = dict[str, Any]

SECURITY_SCHEME = "accessToken"

_REF = "#/components/schemas/"
# A body that is a file: bytes of whatever the media type says.
_FILE: Json = {"schema": {"type": "string", "format": "binary"}}


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
        written: Json = {
            "operationId": self._operation_id(),
            "summary": declared.summary,
            "tags": [_tag(type(self.view).__module__, path)],
        }
        if declared.description:
            written["description"] = declared.description
        parameters = [*self._path_parameters(), *_parameters(declared, self.method)]
        if parameters:
            written["parameters"] = parameters
        if declared.body is not None or declared.uploads:
            written["requestBody"] = self._request_body(declared)
        elif declared.form is not None:
            written["requestBody"] = _form(declared.form)
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
            return {"required": True, "content": dict.fromkeys(declared.uploads, _FILE)}
        content: Json = {"schema": self._ref(declared.body)}
        if declared.examples:
            content["examples"] = {
                name: {"value": msgspec.to_builtins(value)}
                for name, value in declared.examples.items()
            }
        kinds = (JSON, MERGE_PATCH) if self.method == "PATCH" else (JSON,)
        return {"required": True, "content": dict.fromkeys(kinds, content)}

    def _answers(self, declared: Operation) -> Json:
        answers: Json = {}
        for status, answer_type in declared.responses.items():
            answers[str(status)] = {
                "description": _ANSWERS[status],
                "headers": _headers(*_answer_headers(declared, self.method, status)),
            }
            if status == 200 and declared.downloads:
                answers["200"]["content"] = dict.fromkeys(declared.downloads, _FILE)
            elif answer_type is not None:
                answers[str(status)]["content"] = {JSON: {"schema": self._ref(answer_type)}}
        if declared.etag and self.method == "GET":
            answers["304"] = {
                "description": "The version that If-None-Match names is the current one.",
                "headers": _headers("X-Request-ID", "ETag"),
            }
        return answers

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
            yield from (errors.InvalidHeader, errors.StaleVersion)
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
            "headers": _headers(*_PROBLEM_HEADERS.get(status, ("X-Request-ID",))),
            "content": {
                problems.MEDIA_TYPE: {
                    "schema": self._ref(problems.Problem),
                    "examples": {error.code: self._example(error) for error in refused},
                }
            },
        }
        name = "-".join(error.code for error in refused)
        component = ResolvedComponent(name, ResolvedComponent.RESPONSE, schema, DomainError)
        self.registry.register_on_missing(component)
        return component.ref

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


def document() -> Json:
    """The whole document, in an order that does not depend on the run."""
    document = dict(SchemaGenerator().get_schema(request=None, public=True))
    document["components"] = {**document["components"], "headers": _HEADERS}
    return document


@cache
def document_json() -> bytes:
    """The document as it is served: it cannot change while the process runs."""
    return msgspec.json.encode(document())


def schema_of(wanted: Any) -> tuple[Json, dict[str, Json]]:
    """The JSON Schema of a type, and the components it refers to.

    A component is named after its context and its class (`orders.PlaceOrder`), so the types of two
    contexts never meet under one name.
    """
    (schema,), components = msgspec.json.schema_components([wanted], ref_template=_REF + "{name}")
    names = {_plain_name(found): _component_name(found) for found in _named_types(wanted)}
    if names.keys() != components.keys():
        raise ValueError(f"{wanted} uses two types of the same name: {sorted(components)}.")
    for struct in _named_types(wanted):
        _mark_instants(struct, components[_plain_name(struct)])
    renamed = {names[name]: _renamed(component, names) for name, component in components.items()}
    return _renamed(schema, names), renamed


def _mark_instants(struct: Any, component: Json) -> None:
    """msgspec gives datetimes a format only where they must have an offset; ours always have."""
    info = msgspec.inspect.type_info(struct)
    for field in getattr(info, "fields", ()):
        arms = getattr(field.type, "types", (field.type,))
        if any(isinstance(arm, msgspec.inspect.DateTimeType) for arm in arms):
            schema = component["properties"][field.encode_name]
            for arm in schema.get("anyOf", [schema]):
                if arm.get("type") == "string":
                    arm["format"] = "date-time"


def _named_types(wanted: Any) -> list[Any]:
    """The structs and enums that a type is made of, each once."""
    found: list[Any] = []

    def visit(info: Any) -> None:
        if isinstance(info, msgspec.inspect.StructType | msgspec.inspect.EnumType):
            if info.cls in found:
                return
            found.append(info.cls)
        for name in getattr(info, "__struct_fields__", ()):
            value = getattr(info, name)
            for part in value if isinstance(value, tuple) else (value,):
                if isinstance(part, msgspec.inspect.Field):
                    visit(part.type)
                elif isinstance(part, msgspec.inspect.Type):
                    visit(part)

    visit(msgspec.inspect.type_info(wanted))
    return found


def _plain_name(struct: Any) -> str:
    """The name that msgspec gives a component."""
    name = struct.__name__ if isinstance(struct, type) else str(struct).split(".")[-1]
    if get_args(struct):
        arguments = ", ".join(argument.__name__ for argument in get_args(struct))
        name = f"{get_origin(struct).__name__}[{arguments}]"
    return re.sub(r"[^a-zA-Z0-9.\-_]", "_", name)


def _component_name(struct: Any) -> str:
    if get_args(struct):
        (item,) = get_args(struct)
        return f"{_component_name(item)}Page"
    context = re.match(r"domains\.(\w+)\.", struct.__module__)
    return f"{context[1]}.{struct.__name__}" if context else struct.__name__


def _renamed(schema: Any, names: Mapping[str, str]) -> Any:
    if isinstance(schema, dict):
        renamed = {key: _renamed(value, names) for key, value in schema.items()}
        if isinstance(schema.get("$ref"), str):
            renamed["$ref"] = _REF + names[schema["$ref"].removeprefix(_REF)]
        if isinstance(schema.get("title"), str):
            del renamed["title"]  # It only repeats the name of the class.
        if isinstance(schema.get("description"), str):
            renamed["description"] = " ".join(schema["description"].split())
        return renamed
    if isinstance(schema, list):
        return [_renamed(item, names) for item in schema]
    return schema


def _tag(module: str, path: str) -> str:
    context = re.match(r"domains\.(\w+)\.", module)
    return context[1] if context else path.strip("/").split("/")[0]


def _security(requirement: Requirement) -> list[Json]:
    if requirement is PUBLIC:
        return [{}]
    return [{SECURITY_SCHEME: [] if requirement is AUTHENTICATED else [requirement]}]


def _form(form: type[msgspec.Struct]) -> Json:
    """A multipart form: the fields of the type, and one file."""
    schema, components = schema_of(form)
    fields = components.pop(schema["$ref"].removeprefix(_REF))
    if components:
        raise ValueError(f"{form.__qualname__} has a field that is no plain value.")
    properties = {name: _without_null(dict(field)) for name, field in fields["properties"].items()}
    file = {"type": "string", "format": "binary"}
    return {
        "required": True,
        "content": {
            FORM: {
                "schema": {
                    "type": "object",
                    "required": [FILE, *fields.get("required", ())],
                    "properties": {FILE: file, **properties},
                    "additionalProperties": False,
                }
            }
        },
    }


def _parameters(declared: Operation, method: str) -> Iterable[Json]:
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
    schema, components = schema_of(query)
    properties = components.pop(schema["$ref"].removeprefix(_REF))
    if components:
        raise ValueError(f"{query.__qualname__} has a field that is no plain value or list.")
    for name, field in properties["properties"].items():
        field = _without_null(dict(field))
        description = field.pop("description", "")
        yield {
            "name": name,
            "in": "query",
            "required": name in properties.get("required", ()),
            **({"description": description} if description else {}),
            "schema": field,
        }


def _without_null(field: Json) -> Json:
    """A parameter is left out, never null."""
    arms = [arm for arm in field.pop("anyOf", ()) if arm != {"type": "null"}]
    if field.get("default", ...) is None:
        del field["default"]
    if len(arms) == 1:
        return {**arms[0], **field}
    return {**field, "anyOf": arms} if arms else field


def _answer_headers(declared: Operation, method: str, status: int) -> Iterable[str]:
    yield from ("X-Request-ID", "RateLimit-Policy", "RateLimit")
    if declared.etag and status in (200, 201):
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
    if declared.query is not None and "cursor" in declared.query.__struct_fields__:
        yield "Link"


def _headers(*names: str) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _header(description: str, **schema: Any) -> Json:
    return {"description": description, "schema": {"type": "string", **schema}}


_HEADERS: dict[str, Json] = {
    "X-Request-ID": _header("Names this request in the logs; a caller may send its own."),
    "Content-Disposition": _header("The name to save the file under."),
    "ETag": _header("The version of the resource, for If-Match and If-None-Match."),
    "Location": _header("The address of what was made or accepted.", format="uri-reference"),
    "Link": _header('The next page, as `rel="next"` (RFC 8288).'),
    "Idempotency-Replayed": _header(
        "`true`: the key was used before, and this is what came of it."
    ),
    "Preference-Applied": _header("`respond-async`, where that was asked for and is done."),
    "RateLimit-Policy": _header('The budget: `"default";q=600;w=60`.'),
    "RateLimit": _header("What is left of it, and the seconds until it is full again."),
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}},
    "WWW-Authenticate": _header("How to authenticate."),
}
_PROBLEM_HEADERS: dict[int, Sequence[str]] = {
    401: ("X-Request-ID", "WWW-Authenticate"),
    403: ("X-Request-ID", "WWW-Authenticate"),
    429: ("X-Request-ID", "Retry-After", "RateLimit-Policy", "RateLimit"),
    503: ("X-Request-ID", "Retry-After"),
}
_ANSWERS = {
    200: "Done.",
    201: "Created.",
    202: "Accepted; it is decided later.",
    204: "Done; there is nothing to say.",
    301: "It has moved: this is an address of before.",
}
