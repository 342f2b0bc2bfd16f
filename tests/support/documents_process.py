"""A process that begins to issue an invoice, prints the number it drew and waits to be killed:
`python -m tests.support.documents_process <order id> <instant>`."""

from __future__ import annotations

import sys
from datetime import datetime
from uuid import UUID

import django

from tests.support.saying import say


def main(order_id: str, now: str) -> None:
    django.setup()
    from domains.orders.models import Document
    from domains.orders.services import invoicing

    def wait(document: Document, **_: object) -> None:
        say(document.sequence)
        sys.stdin.read()

    Document.save = wait  # type: ignore[assignment]
    invoicing.issue_due(order_id=UUID(order_id), now=datetime.fromisoformat(now))


if __name__ == "__main__":
    main(*sys.argv[1:])
