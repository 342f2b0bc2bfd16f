from __future__ import annotations

from datetime import timedelta

import jwt
import pytest

from infrastructure.auth.errors import InvalidToken
from infrastructure.auth.keys import KeyRing, new_private_key
from infrastructure.auth.tokens import (
    AccessTokens,
    Claims,
    KeyRingBackend,
    VerifiedTokens,
    access_tokens,
)
from infrastructure.ids import new_id
from tests.support.keys import public_pem

LIFETIME = timedelta(minutes=10)
USER, SESSION = new_id(), new_id()
KEY = new_private_key()
KID = KeyRing.from_pem(KEY).current


def tokens_of(private_key: str = KEY, others: str = "", **names: str) -> AccessTokens:
    names = {"issuer": "https://shop.example", "audience": "kontor"} | names
    return AccessTokens(KeyRingBackend(KeyRing.from_pem(private_key, others), **names))


def issue(tokens: AccessTokens, now) -> str:
    return tokens.issue(
        user_id=USER,
        session_id=SESSION,
        generation=3,
        scopes={"orders.place", "orders.cancel_own"},
        now=now,
        lifetime=LIFETIME,
    )


def test_a_token_says_who_and_until_when_and_nothing_personal(now):
    token = issue(tokens_of(), now)
    header = jwt.get_unverified_header(token)
    claims = jwt.decode(token, options={"verify_signature": False})
    jti = claims.pop("jti")
    assert header == {"alg": "EdDSA", "typ": "at+jwt", "kid": KeyRing.from_pem(KEY).current}
    assert len(jti) == 32
    assert claims == {
        "iss": "https://shop.example",
        "aud": "kontor",
        "sub": str(USER),
        "sid": str(SESSION),
        "gen": 3,
        "scope": "orders.cancel_own orders.place",
        "iat": int(now.timestamp()),
        "exp": int(now.timestamp()) + 600,
    }


def test_a_token_is_valid_until_it_expires(now):
    tokens = tokens_of()
    token = issue(tokens, now)
    expected = Claims(user_id=USER, session_id=SESSION, generation=3, expires_at=now + LIFETIME)
    assert tokens.verify(token, now=now) == expected
    assert tokens.verify(token, now=now + LIFETIME - timedelta(seconds=1)) == expected


@pytest.mark.parametrize("seen_before", [True, False])
def test_an_expired_token_is_refused_whether_or_not_it_was_seen_before(now, seen_before):
    tokens = tokens_of()
    token = issue(tokens, now)
    if seen_before:
        tokens.verify(token, now=now)
    with pytest.raises(InvalidToken):
        tokens.verify(token, now=now + LIFETIME)
    assert len(tokens.verified) == 0


def test_a_token_from_the_future_is_refused_but_for_clocks_that_differ_a_little(now):
    tokens = tokens_of()
    token = issue(tokens, now)
    with pytest.raises(InvalidToken):
        tokens.verify(token, now=now - timedelta(seconds=11))
    assert tokens.verify(token, now=now - timedelta(seconds=9)).user_id == USER


def good_claims(now) -> dict:
    return {
        "iss": "https://shop.example",
        "aud": "kontor",
        "sub": str(USER),
        "sid": str(SESSION),
        "gen": 3,
        "scope": "",
        "jti": "1",
        "iat": int(now.timestamp()),
        "exp": int(now.timestamp()) + 600,
    }


def forged(now, *, key=KEY, algorithm="EdDSA", kid=KID, **changes):
    headers = {"typ": "at+jwt", "kid": kid} | changes.pop("headers", {})
    claims = {name: v for name, v in (good_claims(now) | changes).items() if v is not None}
    return jwt.encode(claims, key, algorithm=algorithm, headers=headers)


def hs256_with_the_public_key(now) -> str:
    """Built by hand, since PyJWT refuses to sign with what looks like a public key."""
    body = forged(now, key="0" * 32, algorithm="HS256").rpartition(".")[0]
    key = public_pem(KEY).encode()
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(
        body.encode(), key
    )
    return f"{body}.{jwt.utils.base64url_encode(signature).decode()}"


FORGERIES = {
    "not signed": lambda now: forged(now, key=None, algorithm="none"),
    "HS256 with the public key": hs256_with_the_public_key,
    "signed by a key of somebody else": lambda now: forged(now, key=new_private_key()),
    "a key that nobody knows": lambda now: forged(now, kid="unknown"),
    "a header that points to a key": lambda now: forged(
        now, headers={"jku": "https://evil.example/jwks.json"}
    ),
    "a header that holds a key": lambda now: forged(
        now, headers={"jwk": {"kty": "OKP", "crv": "Ed25519", "x": "AA"}}
    ),
    "of another type": lambda now: forged(now, headers={"typ": "JWT"}),
    "for somebody else": lambda now: forged(now, aud="elsewhere"),
    "from somebody else": lambda now: forged(now, iss="https://evil.example"),
    "without an audience": lambda now: forged(now, aud=None),
    "without an issuer": lambda now: forged(now, iss=None),
    "without an end": lambda now: forged(now, exp=None),
    "without a generation": lambda now: forged(now, gen=None),
    "without a session": lambda now: forged(now, sid=None),
    "a subject that is no id": lambda now: forged(now, sub="admin"),
    "a number for a subject": lambda now: forged(now, sub=1),
    "a number for a session": lambda now: forged(now, sid=1),
    "an end that no calendar has": lambda now: forged(now, exp=10**18),
    "changed after signing": lambda now: forged(now)[:-8] + "AAAAAAAA",
    "cut off": lambda now: forged(now).rpartition(".")[0],
    "no token at all": lambda now: "rt_something",
    "empty": lambda now: "",
}


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES.keys())
def test_a_forged_token_is_refused_and_not_remembered(now, forgery):
    tokens = tokens_of()
    with pytest.raises(InvalidToken):
        tokens.verify(forgery(now), now=now)
    assert len(tokens.verified) == 0


def test_the_forgeries_are_wrong_in_one_thing_only(now):
    assert tokens_of().verify(forged(now), now=now).user_id == USER


def test_keys_rotate_while_tokens_live(now):
    new_key = new_private_key()
    old_token = issue(tokens_of(KEY, public_pem(new_key)), now)
    rotated = tokens_of(new_key, public_pem(KEY))
    assert rotated.verify(old_token, now=now).user_id == USER
    new_token = issue(rotated, now)
    assert tokens_of(KEY, public_pem(new_key)).verify(new_token, now=now).user_id == USER
    with pytest.raises(InvalidToken):
        tokens_of(new_key).verify(old_token, now=now)


def test_a_token_is_not_verified_by_a_key_that_was_taken_away(now, settings):
    settings.JWT_PRIVATE_KEY = KEY
    token = issue(access_tokens(), now)
    access_tokens().verify(token, now=now)
    settings.JWT_PRIVATE_KEY = new_private_key()
    with pytest.raises(InvalidToken):
        access_tokens().verify(token, now=now)


def test_a_token_is_taken_apart_once(now, monkeypatch):
    tokens = tokens_of()
    token = issue(tokens, now)
    first = tokens.verify(token, now=now)
    monkeypatch.setattr(tokens.backend, "decode", None)
    assert tokens.verify(token, now=now) is first


def test_verified_tokens_are_bounded_and_the_oldest_goes_first(now):
    remembered = VerifiedTokens(limit=2)
    claims = Claims(user_id=USER, session_id=SESSION, generation=1, expires_at=now)
    for token in ("one", "two", "three"):
        remembered.remember(token, claims)
    assert len(remembered) == 2
    assert remembered.get("one") is None
    assert remembered.get("three") is claims
