from __future__ import annotations

from domains.reporting.rules.events import Sequences

A, B = b"a" * 16, b"b" * 16


def taken(*messages: tuple[bytes, int]) -> Sequences:
    sequences = Sequences()
    for key, number in messages:
        sequences.take(key, number)
    return sequences


def test_numbers_in_order_are_right() -> None:
    sequences = taken((A, 1), (B, 1), (A, 2), (A, 3))

    assert (sequences.last(A), sequences.last(B), sequences.last(b"c" * 16)) == (3, 1, 0)
    assert list(sequences.gaps()) == []
    assert (sequences.late, sequences.duplicates, sequences.messages) == ([], 0, 4)


def test_a_message_that_comes_again_is_counted_and_no_disorder() -> None:
    sequences = taken((A, 1), (A, 2), (A, 1), (A, 2), (A, 3))

    assert sequences.duplicates == 2
    assert sequences.late == []
    assert sequences.last(A) == 3


def test_a_number_that_never_comes_is_a_gap() -> None:
    sequences = taken((A, 1), (A, 4), (B, 2))

    assert list(sequences.gaps()) == [(A, 2), (A, 3), (B, 1)]


def test_a_number_that_comes_after_later_ones_is_late_and_no_gap() -> None:
    sequences = taken((A, 1), (A, 3), (A, 2), (A, 2))

    assert sequences.late == [(A, 2)]
    assert list(sequences.gaps()) == []
    assert sequences.duplicates == 1
