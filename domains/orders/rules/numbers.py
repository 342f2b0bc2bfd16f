"""What an order is called by people."""

from __future__ import annotations

import hashlib

# Crockford's alphabet has no letter that reads like a digit.
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
