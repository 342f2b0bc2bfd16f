"""The file that an operation has made, as an answer."""

from __future__ import annotations

from pathlib import PurePosixPath

from django.http import FileResponse

from infrastructure.operations.errors import NoResult
from infrastructure.operations.models import Operation
from infrastructure.storage import exports

# What a file is goes by the end of its key.
MEDIA_TYPES = {
    ".csv": "text/csv",
    ".json": "application/json",
    ".jsonl": "application/x-ndjson",
}


def file_response(operation: Operation) -> FileResponse:
    """The result file in a stream, under a name that says what it is. Raises NoResult."""
    if not operation.result_file:
        raise NoResult("The operation has made no file.")
    try:
        file = exports.open(operation.result_file)
        size = exports.size(operation.result_file)
    except FileNotFoundError:
        raise NoResult("The file was deleted.") from None
    suffix = PurePosixPath(operation.result_file).suffix
    moment = operation.finished_at or operation.created_at
    name = f"{operation.kind.replace('.', '-')}-{moment:%Y-%m-%d}{suffix}"
    response = FileResponse(
        file,
        as_attachment=True,
        filename=name,
        content_type=_content_type(suffix),
    )
    response.headers["Content-Length"] = str(size)
    return response


def _content_type(suffix: str) -> str:
    """Text says in which encoding it is (RFC 7111); JSON has none but UTF-8, and no parameter."""
    media_type = MEDIA_TYPES.get(suffix, "application/octet-stream")
    return f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type
