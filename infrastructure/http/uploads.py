"""One uploaded file with a few fields: multipart/form-data, for operations that declare a `form`.

The file goes to disk as it arrives and is refused by its length before a byte is read, so an upload
costs no memory. Its name and the type that the client claims are read by nobody: what a file is,
its bytes say.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeVar, cast

from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParserError

from infrastructure.errors import FieldError
from infrastructure.http.decoding import InvalidBody, decode_form
from infrastructure.http.errors import (
    BadRequest,
    BodyTooLarge,
    LengthRequired,
    UnsupportedMediaType,
)
from infrastructure.http.requests import media_type

T = TypeVar("T")

FORM = "multipart/form-data"
FILE = "file"
# What boundaries and the other fields of a form may take.
OVERHEAD_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that has arrived whole. Whoever reads `content` closes it."""

    content: BinaryIO
    byte_size: int
    sha256: str
    """Of what was sent, in hexadecimal."""


class _OneFile(TemporaryFileUploadHandler):
    """Writes the file to disk while it comes, hashes it, and refuses it at the limit."""

    def __init__(self, request: HttpRequest, max_bytes: int) -> None:
        super().__init__(request)
        self._max_bytes = max_bytes
        self._seen = 0
        self._hash: Any = None

    def new_file(self, field_name: str, file_name: str, *args: Any, **kwargs: Any) -> None:
        if field_name != FILE:
            unknown = FieldError(f"/{field_name[:100]}", "unknown_field", "Unknown file.")
            raise InvalidBody("The form has a file of another name.", errors=[unknown])
        if self._hash is not None:
            again = FieldError(f"/{FILE}", "repeated_field", "Send one file.")
            raise InvalidBody("The form has more than one file.", errors=[again])
        self._hash = hashlib.sha256()
        super().new_file(field_name, FILE, *args, **kwargs)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self._seen += len(raw_data)
        if self._seen > self._max_bytes:
            raise too_large(self._max_bytes)
        self._hash.update(raw_data)
        super().receive_data_chunk(raw_data, start)

    @property
    def sha256(self) -> str:
        digest: str = self._hash.hexdigest()
        return digest


def read_form(request: HttpRequest, form_type: type[T], *, max_bytes: int) -> tuple[T, Upload]:
    """The fields and the one file of a request, which is called `file`.

    max_bytes: of the file. Raises LengthRequired, BodyTooLarge, UnsupportedMediaType, BadRequest
    for what is no multipart body, and InvalidBody.
    """
    if media_type(request.META.get("CONTENT_TYPE", "")) != FORM:
        raise UnsupportedMediaType(f"Send {FORM}.", headers={"Accept": FORM})
    try:
        length = int(request.META.get("CONTENT_LENGTH") or "")
    except ValueError as error:
        raise LengthRequired("Send the body with a Content-Length.") from error
    if length > max_bytes + OVERHEAD_BYTES:
        raise too_large(max_bytes)
    handler = _OneFile(request, max_bytes)
    request.upload_handlers = [handler]
    try:
        fields, file = request.POST, request.FILES.get(FILE)
        if file is None or not file.size:
            missing = FieldError(f"/{FILE}", "required", f"Send one file, as the part `{FILE}`.")
            raise InvalidBody("The form has no file.", errors=[missing])
        form = decode_form(dict(fields.lists()), form_type)
    except MultiPartParserError as error:
        handler.upload_interrupted()
        raise BadRequest("The body is no such form.") from error
    except BaseException:
        handler.upload_interrupted()
        raise
    return form, Upload(cast(BinaryIO, file), file.size, handler.sha256)


def too_large(max_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(f"The file may have {max_bytes:,} bytes.")
