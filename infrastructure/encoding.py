"""JSON of texts that may come from anywhere, for what has to be said whatever happens."""

from __future__ import annotations

import json
from typing import Any

import msgspec

_encode = msgspec.json.Encoder(enc_hook=str).encode


def encode_any(value: Any) -> bytes:
    """The value as JSON in UTF-8. What is no character, such as one half of a surrogate pair,
    becomes a question mark; objects that JSON has no form for become their `str`."""
    try:
        return _encode(value)
    except UnicodeEncodeError:
        plain = msgspec.to_builtins(value, enc_hook=str)
        return json.dumps(plain, ensure_ascii=False).encode(errors="replace")
