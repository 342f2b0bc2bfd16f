from __future__ import annotations

import gzip

from infrastructure.cache.entries import Entry, Loaded, compressed, from_bytes, new_entry, to_bytes

BODY = b'{"items": [' + b'"lantern", ' * 200 + b'"lamp"]}'


def entry(body: bytes = BODY, version: int | None = None) -> Entry:
    return new_entry(
        "/products",
        Loaded(
            body=body,
            tags=frozenset({"lists", "categories"}),
            version=version,
            changes_at=1_010.0,
            headers=(("Link", '</products?cursor=x>; rel="next"'),),
        ),
        loaded_at=1_000.0,
        seconds=30,
        refresh_after=0.8,
        mark=17,
        position=1234,
    )


def test_an_entry_survives_the_wire() -> None:
    kept = entry()
    assert from_bytes(to_bytes(kept)) == kept
    assert kept.tags == ("categories", "lists")


def test_what_another_release_wrote_is_not_an_entry() -> None:
    assert from_bytes(b"\x81\xa1a\x01") is None
    assert from_bytes(b"") is None


def test_it_ends_when_the_body_becomes_untrue_and_is_refreshed_before() -> None:
    kept = entry()
    assert (kept.expires_at, kept.refresh_at) == (1_010.0, 1_008.0)


def test_the_entity_tag_comes_from_the_bytes_and_begins_with_the_version() -> None:
    assert entry().tag == entry().tag
    assert entry().tag != entry(b"{}").tag
    assert entry(version=7).tag == f"v7-{entry().tag[1:]}"


def test_the_compressed_body_is_made_once_and_only_where_it_pays() -> None:
    kept = entry()
    zipped = compressed(kept)
    assert zipped is not None
    assert gzip.decompress(zipped) == BODY
    assert compressed(kept) is zipped
    assert compressed(entry(b"{}")) is None
