"""A worker that refreshes due listings, in batches of the given size, with a line after each, and
goes on when told so by one: `python -m tests.support.listing_process <size>`."""

from __future__ import annotations

import sys

import django

from tests.support.saying import say


def main(size: str) -> None:
    django.setup()
    from domains.products.models import listing_due
    from domains.products.services import listing

    listing_due.BATCH = int(size)
    while listing.refresh_next():
        say("refreshed")
        sys.stdin.readline()


if __name__ == "__main__":
    main(*sys.argv[1:])
