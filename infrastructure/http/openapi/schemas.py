"""JSON Schema of the types that msgspec reads and writes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from typing import Any, get_args, get_origin

import msgspec

Json = dict[str, Any]

_REF = "#/components/schemas/"


@cache
def schema_of(wanted: Any) -> tuple[Json, dict[str, Json]]:
    """The JSON Schema of a type, and the components it refers to. Made once: nobody changes it.

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


def fields_of(struct: type[msgspec.Struct]) -> Json:
    """The schema of a type that consists of plain values and lists, spelt out."""
    schema, components = deepcopy(schema_of(struct))
    fields = components.pop(schema["$ref"].removeprefix(_REF))
    if components:
        raise ValueError(f"{struct.__qualname__} has a field that is no plain value or list.")
    return fields


def without_null(field: Json) -> Json:
    """A parameter or field of a form is left out, never null."""
    arms = [arm for arm in field.pop("anyOf", ()) if arm != {"type": "null"}]
    if field.get("default", ...) is None:
        del field["default"]
    if len(arms) == 1:
        return {**arms[0], **field}
    return {**field, "anyOf": arms} if arms else field
