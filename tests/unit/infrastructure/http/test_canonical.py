from __future__ import annotations

from typing import Any

import pytest

from infrastructure.http.canonical import canonical, plain_url

PLAIN = {"REQUEST_METHOD": "GET", "PATH_INFO": "/api/v1/products", "QUERY_STRING": "b=2&a=1"}


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", "/p"),
        ("limit=5&q=a+b", "/p?limit=5&q=a+b"),
        ("q=a%20b&limit=5", "/p?limit=5&q=a+b"),
        ("%71=%61+b&limit=5", "/p?limit=5&q=a+b"),
        ("label=b&a=1&label=a", "/p?a=1&label=b&label=a"),
        ("q=", "/p?q="),
        ("q=%C3%BC", "/p?q=%C3%BC"),
        ("q=a%26b%3D1", "/p?q=a%26b%3D1"),
    ],
)
def test_a_read_has_one_name_however_it_is_written(query: str, wanted: str) -> None:
    assert canonical("/p", query) == wanted


@pytest.mark.parametrize(
    "query", ["q=%ff", "q=ü", "q=" + "x" * 2_000, "&".join(["a=1"] * 51)], ids=len
)
def test_what_is_odd_has_none(query: str) -> None:
    assert canonical("/p", query) is None


def test_an_ordinary_read_of_anybody_is_plain() -> None:
    assert plain_url(PLAIN) == "/api/v1/products?a=1&b=2"
    assert plain_url(PLAIN | {"REQUEST_METHOD": "HEAD"}) == "/api/v1/products?a=1&b=2"
    assert plain_url(PLAIN | {"HTTP_COOKIE": ""}) == "/api/v1/products?a=1&b=2"
    assert plain_url(PLAIN | {"HTTP_AUTHORIZATION": "x"}) == "/api/v1/products?a=1&b=2"
    assert plain_url(PLAIN | {"CONTENT_LENGTH": "0"}) == "/api/v1/products?a=1&b=2"


@pytest.mark.parametrize(
    "unusual",
    [
        {"REQUEST_METHOD": "POST"},
        {"REQUEST_METHOD": "OPTIONS"},
        {"HTTP_COOKIE": "session=1"},
        {"HTTP_CONSISTENCY_TOKEN": "default:1"},
        {"CONTENT_LENGTH": "2"},
        {"HTTP_TRANSFER_ENCODING": "chunked"},
        {"QUERY_STRING": "q=%ff"},
    ],
    ids=str,
)
def test_whatever_is_unusual_is_not(unusual: dict[str, Any]) -> None:
    assert plain_url(PLAIN | unusual) is None
