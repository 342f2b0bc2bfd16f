"""Secrets of this checkout's stack: drawn at random once, kept in a file for its owner only."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from devstack.layout import read_json, write_private_json


class Credentials:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._values: dict[str, str] = read_json(path)

    def password(self, name: str) -> str:
        """Letters and digits only, so that it needs no quoting in a URL or a configuration."""
        return self._remember(name, lambda: secrets.token_hex(16))

    def key(self, name: str) -> str:
        """48 random bytes in base64."""
        return self._remember(name, lambda: base64.b64encode(secrets.token_bytes(48)).decode())

    def signing_key(self, name: str) -> str:
        """An Ed25519 private key as PEM."""
        return self._remember(name, _new_signing_key)

    def _remember(self, name: str, draw: Callable[[], str]) -> str:
        if name not in self._values:
            self._values[name] = draw()
            write_private_json(self._path, self._values)
        return self._values[name]


def _new_signing_key() -> str:
    return (
        Ed25519PrivateKey.generate()
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )
