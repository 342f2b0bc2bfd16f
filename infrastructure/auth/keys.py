"""The keys that sign and verify access tokens. No Django in here: tools make keys with it too.

Rotation: publish the new key among the others, wait until every verifier has fetched it, make it
the signing key, keep the old one among the others for the lifetime of a token, remove it.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_pem_public_key,
)

_PEM_BLOCK = re.compile(r"-----BEGIN ([A-Z ]+)-----.+?-----END \1-----", re.DOTALL)


class InvalidKey(ValueError):
    """A PEM text that holds no usable Ed25519 key. The message never repeats the text."""


@dataclass(frozen=True, slots=True)
class KeyRing:
    """One key that signs, and every key whose signature counts."""

    current: str
    private: Ed25519PrivateKey
    public: Mapping[str, Ed25519PublicKey]

    @classmethod
    def from_pem(cls, private_key: str, other_keys: str = "") -> KeyRing:
        """private_key: one PKCS#8 PEM. other_keys: any number of PEMs, public or private, of the
        previous and the next key. Raises InvalidKey."""
        private = _private(private_key)
        keys = [private.public_key(), *_publics(other_keys)]
        return cls(
            current=key_id(keys[0]), private=private, public={key_id(key): key for key in keys}
        )

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public keys as a JSON Web Key Set (RFC 7517, RFC 8037)."""
        return {
            "keys": [
                {**_jwk(key), "kid": kid, "use": "sig", "alg": "EdDSA"}
                for kid, key in self.public.items()
            ]
        }


def fault_in(private_key: str, other_keys: str) -> str:
    """What is wrong with these keys, for settings to say at start; empty if nothing is."""
    try:
        KeyRing.from_pem(private_key, other_keys)
    except InvalidKey as error:
        return str(error)
    return ""


def new_private_key() -> str:
    """A fresh Ed25519 key as PKCS#8 PEM."""
    return (
        Ed25519PrivateKey.generate()
        .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        .decode()
    )


def key_id(key: Ed25519PublicKey) -> str:
    """The key's JWK thumbprint (RFC 7638): nobody has to invent or configure a name for it."""
    members = _jwk(key)
    canonical = f'{{"crv":"{members["crv"]}","kty":"{members["kty"]}","x":"{members["x"]}"}}'
    return _base64url(hashlib.sha256(canonical.encode()).digest())


def _jwk(key: Ed25519PublicKey) -> dict[str, str]:
    return {"kty": "OKP", "crv": "Ed25519", "x": _base64url(key.public_bytes_raw())}


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _private(pem: str) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError):
        raise InvalidKey("Not a private key in PEM form.") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise InvalidKey("Not an Ed25519 private key.")
    return key


def _publics(pems: str) -> Iterable[Ed25519PublicKey]:
    blocks = list(_PEM_BLOCK.finditer(pems))
    if pems.strip() and not blocks:
        raise InvalidKey("Not a list of keys in PEM form.")
    for block in blocks:
        if block[1] == "PRIVATE KEY":
            yield _private(block[0]).public_key()
            continue
        try:
            key = load_pem_public_key(block[0].encode())
        except ValueError:
            raise InvalidKey("Not a public key in PEM form.") from None
        if not isinstance(key, Ed25519PublicKey):
            raise InvalidKey("Not an Ed25519 public key.")
        yield key
