from __future__ import annotations

import gzip

import pytest

from infrastructure.cache.entries import Entry, Loaded, new_entry
from infrastructure.http.representations import accepts_gzip, public, represent
from infrastructure.http.requests import version_of_if_match

BODY = b'{"name": "' + b"lantern " * 300 + b'"}'
NOW = 1_000.0


def entry(*, changes_at: float | None = None, body: bytes = BODY) -> Entry:
    loaded = Loaded(
        body=body,
        tags=frozenset(),
        version=7,
        changes_at=changes_at,
        headers=(("Link", '</x>; rel="next"'),),
    )
    return new_entry(
        "a", loaded, loaded_at=NOW, seconds=30, refresh_after=0.8, mark=None, position=None
    )


def test_the_plain_answer() -> None:
    kept = entry()
    found = represent(kept, {}, cache_control="public, max-age=5")
    assert (found.status, found.body) == (200, BODY)
    assert dict(found.headers) == {
        "ETag": f'"{kept.tag}"',
        "Cache-Control": "public, max-age=5",
        "Vary": "Accept-Encoding, Authorization, Consistency-Token",
        "Content-Type": "application/json",
        "Content-Length": str(len(BODY)),
        "Link": '</x>; rel="next"',
    }


def test_each_encoding_is_a_representation_with_a_tag_of_its_own() -> None:
    kept = entry()
    plain = represent(kept, {}, cache_control="x")
    zipped = represent(kept, {"HTTP_ACCEPT_ENCODING": "br, gzip"}, cache_control="x")
    headers = dict(zipped.headers)
    assert gzip.decompress(zipped.body) == BODY
    assert headers["Content-Encoding"] == "gzip"
    assert headers["Content-Length"] == str(len(zipped.body))
    assert headers["ETag"] != dict(plain.headers)["ETag"]
    # A client that edits what it got compressed names the version it got.
    assert version_of_if_match(headers["ETag"]) == 7


def test_what_is_small_stays_as_it_is() -> None:
    found = represent(entry(body=b"{}"), {"HTTP_ACCEPT_ENCODING": "gzip"}, cache_control="x")
    assert found.body == b"{}"
    assert "Content-Encoding" not in dict(found.headers)


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_who_has_this_representation_gets_304_and_nothing_else(encoding: str) -> None:
    kept = entry()
    asked = {"HTTP_ACCEPT_ENCODING": encoding}
    etag = dict(represent(kept, asked, cache_control="x").headers)["ETag"]
    for condition in (etag, f'"other", W/{etag}', "*"):
        found = represent(kept, asked | {"HTTP_IF_NONE_MATCH": condition}, cache_control="x")
        assert (found.status, found.body) == (304, b"")
        assert [name for name, _ in found.headers] == ["ETag", "Cache-Control", "Vary"]
    other = represent(
        kept,
        {"HTTP_ACCEPT_ENCODING": "" if encoding else "gzip", "HTTP_IF_NONE_MATCH": etag},
        cache_control="x",
    )
    assert other.status == 200


@pytest.mark.parametrize(
    ("changes_in", "wanted"),
    [
        (None, "public, max-age=5, s-maxage=10, stale-while-revalidate=30"),
        (40.0, "public, max-age=5, s-maxage=10, stale-while-revalidate=30"),
        (25.5, "public, max-age=5, s-maxage=10, stale-while-revalidate=15"),
        (7.9, "public, max-age=5, s-maxage=7"),
        (0.4, "public, max-age=0, s-maxage=0"),
    ],
)
def test_nobody_keeps_it_beyond_the_moment_when_it_becomes_untrue(
    changes_in: float | None, wanted: str
) -> None:
    changes_at = None if changes_in is None else NOW + changes_in
    assert public(entry(changes_at=changes_at), NOW) == wanted


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("", False),
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip;q=0, *", False),
        ("*", True),
        ("*;q=0", False),
        ("br", False),
        ("gzip;q=x", False),
    ],
)
def test_gzip_where_it_is_accepted(header: str, wanted: bool) -> None:
    assert accepts_gzip(header) is wanted
