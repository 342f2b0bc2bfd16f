"""What a newer OpenAPI document takes away from those who rely on an older one.

Inside a version of the API everything may be added and nothing removed or narrowed. Input and
output are judged differently: a new field of an answer harms nobody, a new required field of a body
does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

_METHODS = ("get", "post", "put", "patch", "delete")


def breaking_changes(old: Json, new: Json) -> list[str]:
    """One sentence per change that breaks a client; empty if there is none."""
    return list(_Comparison(old, new).changes())


class _Comparison:
    def __init__(self, old: Json, new: Json) -> None:
        self._old, self._new = old, new

    def changes(self) -> Iterator[str]:
        for path, methods in self._old["paths"].items():
            for method in _METHODS:
                if method not in methods:
                    continue
                name = f"{method.upper()} {path}"
                operation = self._new["paths"].get(path, {}).get(method)
                if operation is None:
                    yield f"{name} is gone."
                else:
                    yield from self._operation(name, methods[method], operation)

    def _operation(self, name: str, old: Json, new: Json) -> Iterator[str]:
        yield from self._parameters(name, old, new)
        if new.get("requestBody") and not old.get("requestBody"):
            yield f"{name} demands a body."
        elif old.get("requestBody") and not new.get("requestBody"):
            yield f"{name} takes no body any more."
        elif old.get("requestBody"):
            for kind, content in old["requestBody"]["content"].items():
                if kind not in new["requestBody"]["content"]:
                    yield f"{name} does not take {kind} any more."
                    continue
                narrowed = new["requestBody"]["content"][kind]["schema"]
                yield from self._input(f"{name} body", content["schema"], narrowed, ())
        for status, answer in old["responses"].items():
            if status not in new["responses"] and status < "400":
                yield f"{name} does not answer {status} any more."
                continue
            contents = new["responses"].get(status, {}).get("content", {})
            for kind, content in answer.get("content", {}).items():
                if kind not in contents:
                    if status < "400":
                        yield f"{name} {status} has no {kind} any more."
                    continue
                yield from self._output(
                    f"{name} {status}", content["schema"], contents[kind]["schema"], ()
                )

    def _parameters(self, name: str, old: Json, new: Json) -> Iterator[str]:
        before = {(p["in"], p["name"]): p for p in old.get("parameters", ())}
        after = {(p["in"], p["name"]): p for p in new.get("parameters", ())}
        for key, parameter in before.items():
            place = f"{name} {key[0]} parameter {key[1]}"
            if key not in after:
                # An unknown query parameter is refused; a header is not.
                if key[0] != "header":
                    yield f"{place} is gone."
            else:
                if after[key]["required"] and not parameter["required"]:
                    yield f"{place} is required now."
                yield from self._input(place, parameter["schema"], after[key]["schema"], ())
        for key, parameter in after.items():
            if key not in before and parameter["required"]:
                yield f"{name} {key[0]} parameter {key[1]} is new and required."

    def _input(self, place: str, old: Json, new: Json, seen: tuple[str, ...]) -> Iterator[str]:
        """Whether everything that was taken is still taken."""
        if old.get("$ref") in seen:
            return
        seen = (*seen, old.get("$ref", place))
        old, new = self._resolved(self._old, old), self._resolved(self._new, new)
        missing = _kinds(old) - _kinds(new)
        if missing:
            yield f"{place} does not take {', '.join(sorted(missing))} any more."
        if "enum" in new and set(map(str, old.get("enum", ["anything"]))) - set(
            map(str, new["enum"])
        ):
            yield f"{place} takes fewer values."
        for limit, sign in _UPPER_BOUNDS | _LOWER_BOUNDS:
            if limit in new and (limit not in old or sign * new[limit] < sign * old[limit]):
                yield f"{place} has a narrower {limit}."
        if new.get("pattern", old.get("pattern")) != old.get("pattern"):
            yield f"{place} has another pattern."
        for field, schema in old.get("properties", {}).items():
            if field in new.get("properties", {}):
                yield from self._input(f"{place}.{field}", schema, new["properties"][field], seen)
            elif "properties" in new:
                yield f"{place}.{field} is gone."
        for field in set(new.get("required", ())) - set(old.get("required", ())):
            yield f"{place}.{field} is required now."
        if "items" in old and "items" in new:
            yield from self._input(f"{place}[]", old["items"], new["items"], seen)

    def _output(self, place: str, old: Json, new: Json, seen: tuple[str, ...]) -> Iterator[str]:
        """Whether all that was promised is still there. Enums are open: values may come."""
        if old.get("$ref") in seen:
            return
        seen = (*seen, old.get("$ref", place))
        old, new = self._resolved(self._old, old), self._resolved(self._new, new)
        if _kinds(new) - _kinds(old):
            yield f"{place} may be {', '.join(sorted(_kinds(new) - _kinds(old)))} now."
        if old.get("format") != new.get("format"):
            yield f"{place} has another format."
        for field, schema in old.get("properties", {}).items():
            if field not in new.get("properties", {}):
                yield f"{place}.{field} is gone."
                continue
            if field in old.get("required", ()) and field not in new.get("required", ()):
                yield f"{place}.{field} may be missing now."
            yield from self._output(f"{place}.{field}", schema, new["properties"][field], seen)
        if "items" in old and "items" in new:
            yield from self._output(f"{place}[]", old["items"], new["items"], seen)

    def _resolved(self, document: Json, schema: Json) -> Json:
        """The schema itself: references followed, and of `X or null` the X with null as a kind."""
        if "$ref" in schema:
            name = schema["$ref"].rsplit("/", 1)[1]
            return self._resolved(document, document["components"]["schemas"][name])
        arms = [self._resolved(document, arm) for arm in schema.get("anyOf", ())]
        if arms:
            kinds = sorted(set().union(*(_kinds(arm) for arm in arms)))
            merged: Json = {}
            for arm in arms:
                merged |= arm
            return merged | {"type": kinds}
        return schema


_UPPER_BOUNDS = {(name, 1) for name in ("maximum", "maxLength", "maxItems")}
_LOWER_BOUNDS = {(name, -1) for name in ("minimum", "minLength", "minItems")}


def _kinds(schema: Json) -> set[str]:
    kind = schema.get("type")
    if kind is None and "enum" in schema:
        return {"string"}
    return set(kind) if isinstance(kind, list) else {kind} if kind else set()
