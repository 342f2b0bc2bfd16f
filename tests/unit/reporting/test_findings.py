from __future__ import annotations

from domains.reporting.rules.findings import Check, Finding, confirmed


def check(*subjects: str, in_flight: int = 0) -> Check:
    found = Check(name="stock", about="", in_flight=in_flight)
    found.take_all(Finding(subject=subject, detail="") for subject in subjects)
    return found


def test_only_what_differs_twice_is_a_difference() -> None:
    (result,) = confirmed([check("a", "b")], [check("b", "c", in_flight=2)])

    assert [finding.subject for finding in result.differences] == ["b"]
    assert result.in_flight == 3


def test_what_is_in_flight_is_counted_and_not_named() -> None:
    found = check()

    found.take(Finding(subject="a", detail="", in_flight=True))

    assert (found.in_flight, found.differences) == (1, [])


def test_rows_are_counted_as_they_pass() -> None:
    found = check()

    assert list(found.count("abc")) == ["a", "b", "c"]
    assert found.rows == 3
