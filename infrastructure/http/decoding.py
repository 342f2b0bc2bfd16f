"""Turn request bodies and query strings into typed values, or say all that is wrong with them.

msgspec decodes and checks in one pass and stops at the first fault, so good input pays nothing for
the reporting of bad input. Only when that pass fails is the input taken apart, field by field.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, cast, get_args, get_origin

import msgspec

from infrastructure.errors import DomainError, FieldError
from infrastructure.http.types import CONTROL

T = TypeVar("T")

_CODES = (
    (re.compile(r"Expected `(?:str|bytes)` of length (?:<=|<) "), "too_long"),
    (re.compile(r"Expected `(?:str|bytes)` of length (?:>=|>) "), "too_short"),
    (re.compile(r"Expected `(?:array|object)` of length (?:<=|<) "), "too_many"),
    (re.compile(r"Expected `(?:array|object)` of length (?:>=|>) "), "too_few"),
    (
        re.compile(r"Expected `(?:int|float|decimal)` (?:<=|<|>=|>|that's a multiple)"),
        "out_of_range",
    ),
    (re.compile(r"Integer value out of range"), "out_of_range"),
    (re.compile(r"Expected `str` matching regex|with(?:out)? a timezone"), "bad_format"),
    (re.compile(r"Invalid enum value"), "invalid_choice"),
    (re.compile(r"Object missing required field"), "required"),
    (re.compile(r"Object contains unknown field"), "unknown_field"),
    (re.compile(r"Expected "), "invalid_type"),
    (re.compile(r"Invalid "), "bad_format"),
)
_PATH = re.compile(r" - at `\$?([^`]*)`$")
_STEP = re.compile(r"\[(?:(\d+)|\.\.\.)\]|\.([^.\[]+)")
_MOST_ERRORS = 100
_NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_FIELD = re.compile(r"field `([^`]+)`")
_NUL = re.compile("\x00")
_CONTROL = re.compile(CONTROL)
_NO_CONTROL = "Control characters are not accepted."
# The ways in which JSON in UTF-8 may have one (RFC 8259, section 7).
_CONTROL_IN_JSON = re.compile(rb"\\(?:[bf]|u00[0189]|u007[fF])|\x7f|\xc2[\x80-\x9f]")


class InvalidBody(DomainError):
    """The body does not fit the operation; `errors` names every field that is at fault."""

    code, status, title = "invalid_body", 400, "The request body is not valid"


class InvalidJson(DomainError):
    """The body is no JSON text in UTF-8."""

    code, status, title = "invalid_json", 400, "The request body is not valid JSON"


class InvalidParameters(DomainError):
    """A query parameter is unknown, missing or wrong; `errors` names each of them."""

    code, status, title = "invalid_parameters", 400, "The query parameters are not valid"


def decode_body(raw: bytes, body_type: type[T]) -> T:
    """The body as `body_type`. Raises InvalidJson, or InvalidBody with one error per field."""
    try:
        body: T = _decoder(cast(Any, body_type)).decode(raw)
        if not _may_have_controls(raw) and not _has_odd_instants(body, body_type):
            return body
    except msgspec.ValidationError:
        pass
    except _NOT_JSON as error:
        raise InvalidJson(f"{error}." if str(error) else "") from error
    try:
        value = msgspec.json.decode(raw)
    except _NOT_JSON as error:
        raise InvalidJson(f"{error}.") from error
    errors = list(islice(_faults(value, body_type, "", strict=True), _MOST_ERRORS))
    if errors:
        raise InvalidBody(_summary(errors, "field"), errors=errors)
    return body


def decode_query(values: Mapping[str, list[str]], query_type: type[T]) -> T:
    """The parameters as `query_type`; a field that is a list takes a parameter more than once.

    Raises InvalidParameters with one error per parameter (pointer `?name`).
    """
    # They are compared with texts that may have been stored before control characters were refused.
    return _decode_texts(values, query_type, unfit=_NUL, detail="A NUL character is not accepted.")


def decode_form(values: Mapping[str, list[str]], form_type: type[T]) -> T:
    """The text fields of a multipart form. Raises InvalidBody with one error per field."""
    try:
        return _decode_texts(values, form_type, unfit=_CONTROL, detail=_NO_CONTROL)
    except InvalidParameters as refused:
        errors = [
            FieldError(f"/{e.pointer[1:]}", _OF_FORMS.get(e.code, e.code), e.detail)
            for e in refused.errors
        ]
        raise InvalidBody(_summary(errors, "field"), errors=errors) from refused


def _decode_texts(
    values: Mapping[str, list[str]], wanted: type[T], *, unfit: re.Pattern[str], detail: str
) -> T:
    """unfit: what no text may have; detail says so. Raises InvalidParameters."""
    fields = _query_fields(cast(Any, wanted))
    given: dict[str, Any] = {}
    errors: list[FieldError] = []
    for name, texts in values.items():
        if name not in fields:
            errors.append(FieldError(f"?{name[:100]}", "unknown_parameter", "Unknown parameter."))
        elif any(map(unfit.search, texts)):
            errors.append(FieldError(f"?{name}", "bad_format", detail))
        elif fields[name]:
            given[name] = texts
        elif len(texts) > 1:
            errors.append(FieldError(f"?{name}", "repeated_parameter", "Give it only once."))
        else:
            given[name] = texts[0]
    if not errors:
        try:
            converted = msgspec.convert(given, wanted, strict=False)
            if not _has_odd_instants(converted, wanted):
                return converted
        except msgspec.ValidationError:
            pass
    reported = {error.pointer[1:] for error in errors}
    for fault in _faults(given, wanted, "", strict=False):
        name = fault.pointer[1:].split("/")[0]
        if name not in reported:
            errors.append(FieldError(f"?{name}", fault.code, fault.detail))
    raise InvalidParameters(_summary(errors, "parameter"), errors=errors)


_OF_FORMS = {"unknown_parameter": "unknown_field", "repeated_parameter": "repeated_field"}


def decode_value(value: Any, wanted: type[T]) -> T:
    """A value of dicts, lists and texts, from wherever it comes, as `wanted`. Raises InvalidBody
    with one error per field."""
    try:
        converted = msgspec.convert(value, wanted)
        if not any(map(_CONTROL.search, _texts(value))) and not _has_odd_instants(
            converted, wanted
        ):
            return converted
    except msgspec.ValidationError:
        pass
    errors = list(islice(_faults(value, wanted, "", strict=True), _MOST_ERRORS))
    raise InvalidBody(_summary(errors, "field"), errors=errors)


def _may_have_controls(raw: bytes) -> bool:
    """Whether a text in this JSON may have them. Mostly it is seen at once that none can."""
    is_plain = raw.isascii() and b"\\" not in raw and b"\x7f" not in raw
    return not is_plain and _CONTROL_IN_JSON.search(raw) is not None


def _texts(value: Any) -> Iterator[str]:
    """All texts of a value of dicts, lists and texts, names among them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield name
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


# Instants have room to be counted back and on from. What lies beyond is a slip of the pen, and at
# the ends neither Python nor Postgres can tell an instant in another time zone.
_EARLIEST, _LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
# Postgres takes no offset of 16 hours. On earth they go from -12:00 to +14:00.
_LARGEST_OFFSET = timedelta(hours=16)
_ODD_INSTANT = "Expected an instant from 1900 to 9998, less than 16 hours off UTC."


def _is_odd(instant: datetime) -> bool:
    offset = instant.utcoffset()
    if offset is None:
        return False
    return abs(offset) >= _LARGEST_OFFSET or not _EARLIEST <= instant < _LATEST


def _has_odd_instants(value: Any, wanted: Any) -> bool:
    """Whether a value of this type has instants that cannot be stored."""
    return _tells_instants(wanted) and any(map(_is_odd, _instants(value)))


def _instants(value: Any) -> Iterator[datetime]:
    if isinstance(value, datetime):
        yield value
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from _instants(getattr(value, name))
    elif isinstance(value, dict):
        for item in value.values():
            yield from _instants(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _instants(item)


@cache
def _tells_instants(wanted: Any) -> bool:
    """Whether there can be an instant in a value of this type: of most there cannot."""
    bare = _bare(wanted)
    if _is_struct(bare):
        return any(_tells_instants(field.type) for field in msgspec.structs.fields(bare))
    return bare is datetime or any(map(_tells_instants, get_args(bare)))


@cache
def _decoder(body_type: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(body_type)


@cache
def _query_fields(query_type: Any) -> dict[str, bool]:
    """Parameter name -> whether it may be repeated."""
    return {
        field.encode_name: any(get_origin(_bare(arm)) is list for arm in _arms(field.type))
        for field in msgspec.structs.fields(query_type)
    }


def _faults(value: Any, wanted: Any, pointer: str, *, strict: bool) -> Iterator[FieldError]:
    """Every fault of an untyped value against a type: structs, lists and dicts are taken apart.

    strict: whether a number has to be one, or may be its text; then texts were looked at before.
    """
    wanted = _arm_for(value, wanted)
    bare = _bare(wanted)
    parts: Iterator[FieldError] = iter(())
    if isinstance(value, dict) and _is_struct(bare):
        parts = _struct_faults(value, bare, pointer, strict=strict)
    elif isinstance(value, list) and get_origin(bare) is list:
        (item_type,) = get_args(bare)
        parts = (
            fault
            for position, item in enumerate(value)
            for fault in _faults(item, item_type, f"{pointer}/{position}", strict=strict)
        )
    elif isinstance(value, dict) and get_origin(bare) is dict:
        name_type, item_type = get_args(bare)
        parts = (
            fault
            for name, item in value.items()
            for checked, type_ in ((name, name_type), (item, item_type))
            for fault in _faults(checked, type_, _step(pointer, name), strict=strict)
        )
    elif strict and isinstance(value, str) and _CONTROL.search(value):
        yield FieldError(pointer, "bad_format", _NO_CONTROL)
        return
    elif isinstance(value, dict | list):
        # Whatever it may be. Its parts are texts, numbers, and more of the kind.
        items = value.items() if isinstance(value, dict) else enumerate(value)
        parts = (
            fault
            for name, item in items
            for checked in (name, item)
            for fault in _faults(checked, Any, _step(pointer, str(name)), strict=strict)
        )
    found = False
    for fault in parts:
        found = True
        yield fault
    # Only when the parts are right can the whole be wrong: a list too long, fields that do not fit.
    if not found:
        try:
            converted = msgspec.convert(value, wanted, strict=strict)
        except msgspec.ValidationError as error:
            yield _as_field_error(error, pointer, wanted)
        else:
            if isinstance(converted, datetime) and _is_odd(converted):
                yield FieldError(pointer, "out_of_range", _ODD_INSTANT)


def _struct_faults(
    value: dict[str, Any], struct: type[msgspec.Struct], pointer: str, *, strict: bool
) -> Iterator[FieldError]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    if struct.__struct_config__.forbid_unknown_fields:
        for name in value:
            if name not in fields and name != struct.__struct_config__.tag_field:
                yield FieldError(_step(pointer, name), "unknown_field", "Unknown field.")
    for name, field in fields.items():
        if name in value:
            yield from _faults(value[name], field.type, _step(pointer, name), strict=strict)
        elif field.required:
            yield FieldError(_step(pointer, name), "required", "This field is required.")


def _arms(wanted: Any) -> tuple[Any, ...]:
    bare = _bare(wanted)
    return get_args(bare) if get_origin(bare) in (Union, UnionType) else (wanted,)


def _arm_for(value: Any, wanted: Any) -> Any:
    """Of `X | None`, the X that a dict or a list is meant for; anything else is left as it is."""
    if isinstance(value, dict):
        arms = [
            arm for arm in _arms(wanted) if _is_struct(_bare(arm)) or get_origin(_bare(arm)) is dict
        ]
    elif isinstance(value, list):
        arms = [arm for arm in _arms(wanted) if get_origin(_bare(arm)) is list]
    else:
        return wanted
    return arms[0] if len(arms) == 1 else wanted


def _bare(wanted: Any) -> Any:
    return _bare(get_args(wanted)[0]) if get_origin(wanted) is Annotated else wanted


def _is_struct(wanted: Any) -> bool:
    return isinstance(wanted, type) and issubclass(wanted, msgspec.Struct)


def _as_field_error(error: msgspec.ValidationError, pointer: str, wanted: Any = str) -> FieldError:
    """wanted: the type that is asked for at the pointer."""
    message = str(error)
    path = _PATH.search(message)
    if path:
        message = message[: path.start()]
        for position, name in _STEP.findall(path.group(1)):
            if name or position:
                pointer = _step(pointer, name or position)
    cause = error.__cause__
    if cause is not None:
        if field := getattr(cause, "field", ""):
            pointer = _step(pointer, field)
        return FieldError(pointer, getattr(cause, "code", "invalid"), message)
    code = next((code for pattern, code in _CODES if pattern.match(message)), "invalid")
    if code in {"required", "unknown_field"} and (named := _FIELD.search(message)):
        pointer = _step(pointer, named.group(1))
    if code == "bad_format" and "regex" in message:
        message = f"The text does not have the expected form{_form_of(wanted)}"
    return FieldError(pointer, code, message if message.endswith(".") else f"{message}.")


def _form_of(wanted: Any) -> str:
    """What the type says of its pattern in words (`extra={"form": …}`), and its first example, as
    far as it has them: they say more than a pattern."""
    for arm in _arms(wanted):
        for meta in getattr(arm, "__metadata__", ()):
            if meta.pattern and (meta.examples or meta.extra):
                words = f": {meta.extra['form']}" if meta.extra else ""
                return words + (f", such as {meta.examples[0]}" if meta.examples else "")
    return ""


def _step(pointer: str, name: str) -> str:
    """A JSON pointer one level deeper (RFC 6901)."""
    return f"{pointer}/{name[:100].replace('~', '~0').replace('/', '~1')}"


def _summary(errors: list[FieldError], noun: str) -> str:
    names = ", ".join(error.pointer or "the whole" for error in errors[:3])
    more = f" and {len(errors) - 3} more" if len(errors) > 3 else ""
    return f"{len(errors)} {noun}{'' if len(errors) == 1 else 's'} at fault: {names}{more}."
