from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from infrastructure.auth.keys import InvalidKey, KeyRing, fault_in, new_private_key
from tests.support.keys import public_pem

# The key and thumbprint of RFC 8037, appendix A.
RFC_8037_PRIVATE = """-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----"""
RFC_8037_X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
RFC_8037_THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_a_key_is_named_by_its_thumbprint():
    ring = KeyRing.from_pem(RFC_8037_PRIVATE)
    assert ring.current == RFC_8037_THUMBPRINT
    assert ring.jwks() == {
        "keys": [
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "x": RFC_8037_X,
                "kid": RFC_8037_THUMBPRINT,
                "use": "sig",
                "alg": "EdDSA",
            }
        ]
    }


def test_the_other_keys_may_be_public_or_private():
    previous, following = new_private_key(), new_private_key()
    ring = KeyRing.from_pem(RFC_8037_PRIVATE, public_pem(previous) + following)
    assert len(ring.public) == 3
    assert KeyRing.from_pem(previous).current in ring.public
    assert KeyRing.from_pem(following).current in ring.public


def test_the_published_set_holds_no_private_part():
    ring = KeyRing.from_pem(new_private_key(), new_private_key())
    assert [set(key) for key in ring.jwks()["keys"]] == [
        {"kty", "crv", "x", "kid", "use", "alg"}
    ] * 2


def rsa_key() -> str:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.mark.parametrize("pem", ["", "secret", rsa_key(), public_pem(RFC_8037_PRIVATE)])
def test_anything_but_an_ed25519_private_key_is_refused_without_repeating_it(pem):
    with pytest.raises(InvalidKey) as refusal:
        KeyRing.from_pem(pem)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("pems", ["secret", rsa_key()])
def test_other_keys_that_are_none_are_refused(pems):
    with pytest.raises(InvalidKey):
        KeyRing.from_pem(RFC_8037_PRIVATE, pems)


def test_settings_can_ask_what_is_wrong_with_keys():
    assert fault_in(RFC_8037_PRIVATE, "") == ""
    assert fault_in(RFC_8037_PRIVATE, "secret") == "Not a list of keys in PEM form."
    assert fault_in("secret", "") == "Not a private key in PEM form."
