"""Pure decisions and calculations of orders."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

# A placement that is older is taken up by the recovery task.
PLACEMENT_DEADLINE = timedelta(seconds=10)


class Status(StrEnum):
    PENDING = "PENDING"
    CONFIRMED = "CONFIRMED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"


class Hold(StrEnum):
    """What is known of the goods."""

    NONE = "NONE"
    HELD = "HELD"
    REFUSED = "REFUSED"
    RELEASED = "RELEASED"


class Guarantee(StrEnum):
    """What is known of the money."""

    NONE = "NONE"
    GIVEN = "GIVEN"
    REFUSED = "REFUSED"
    UNKNOWN = "UNKNOWN"
    CAPTURED = "CAPTURED"
    GIVEN_BACK = "GIVEN_BACK"


class Step(StrEnum):
    HOLD = "HOLD"
    AUTHORISE = "AUTHORISE"
    CONFIRM = "CONFIRM"
    REJECT = "REJECT"
    CANCEL = "CANCEL"
    REFUSE_CANCEL = "REFUSE_CANCEL"
    RELEASE = "RELEASE"
    VOID = "VOID"
    FINISH = "FINISH"
    WAIT = "WAIT"
    REST = "REST"


@dataclass(frozen=True, slots=True)
class Facts:
    status: str
    cancel_requested: bool
    finished: bool
    hold: Hold
    guarantee: Guarantee


def next_step(facts: Facts) -> Step:
    """What an order needs next. WAIT: only people can help; REST: nothing is left."""
    if facts.status == Status.PENDING:
        return _next_of_pending(facts)
    if facts.status == Status.CONFIRMED:
        return _next_of_confirmed(facts)
    if facts.finished:
        return Step.REST
    if facts.hold != Hold.RELEASED:
        return Step.RELEASE
    if facts.guarantee in (Guarantee.GIVEN, Guarantee.NONE, Guarantee.UNKNOWN):
        return Step.VOID
    if facts.guarantee == Guarantee.CAPTURED:
        return Step.WAIT  # a void cannot give taken money back: staff have to
    return Step.FINISH


def _next_of_pending(facts: Facts) -> Step:
    if facts.cancel_requested:
        return Step.CANCEL
    if facts.hold == Hold.NONE:
        return Step.HOLD
    if facts.hold in (Hold.REFUSED, Hold.RELEASED):
        return Step.REJECT
    if facts.guarantee in (Guarantee.NONE, Guarantee.UNKNOWN):
        return Step.AUTHORISE  # asking again under the same key is how an outcome is learnt
    if facts.guarantee in (Guarantee.REFUSED, Guarantee.GIVEN_BACK):
        return Step.REJECT
    return Step.CONFIRM


def _next_of_confirmed(facts: Facts) -> Step:
    if not facts.cancel_requested:
        return Step.REST
    if facts.guarantee == Guarantee.CAPTURED:
        return Step.REFUSE_CANCEL
    if facts.guarantee in (Guarantee.GIVEN, Guarantee.UNKNOWN):
        return Step.VOID
    return Step.CANCEL


# Order numbers: Crockford's alphabet has no letter that reads like a digit.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_HALF_BITS = 20
_HALF_MASK = (1 << _HALF_BITS) - 1
_ROUNDS = 4
MAX_SEQUENCE = (1 << (2 * _HALF_BITS)) - 1


def order_number(sequence: int, *, key: bytes) -> str:
    """Nine characters for people: a keyed permutation of the sequence, and a check character.

    A balanced Feistel network is a permutation whatever its round function is, so two sequences
    never have one number. The check is Luhn's, modulo 32: it finds every single wrong character
    and nearly every swap of neighbours.
    """
    if not 0 <= sequence <= MAX_SEQUENCE:
        raise ValueError(f"{sequence} is no sequence of an order number.")
    left, right = sequence >> _HALF_BITS, sequence & _HALF_MASK
    for round_number in range(_ROUNDS):
        left, right = right, left ^ _scramble(right, round_number, key)
    code = (left << _HALF_BITS) | right
    body = "".join(ALPHABET[(code >> shift) & 31] for shift in range(35, -1, -5))
    return body + _check_character(body)


def is_order_number(text: str) -> bool:
    """Whether a text is a well-formed order number; it need not exist."""
    return (
        len(text) == 9
        and all(character in ALPHABET for character in text)
        and text[-1] == _check_character(text[:-1])
    )


def _scramble(half: int, round_number: int, key: bytes) -> int:
    message = bytes([round_number]) + half.to_bytes(3, "big")
    digest = hashlib.blake2s(message, key=key[:32], digest_size=4).digest()
    return int.from_bytes(digest, "big") & _HALF_MASK


def _check_character(body: str) -> str:
    total = 0
    for position, character in enumerate(reversed(body)):
        value = ALPHABET.index(character) * (2 if position % 2 == 0 else 1)
        total += value // 32 + value % 32
    return ALPHABET[-total % 32]
