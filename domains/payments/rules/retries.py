"""When a gateway that has not answered is asked again."""

from __future__ import annotations

from datetime import datetime, timedelta

# A live request has its answer, or has given up, well before this.
FIRST_RETRY = timedelta(seconds=10)
LONGEST_PAUSE = timedelta(minutes=5)
# Gateways remember keys for 24 hours. Later the same request could be carried out a second time.
KEY_LIFETIME = timedelta(hours=23)


def pause_before_retry(attempts: int) -> timedelta:
    """How long to wait after this many unanswered attempts: 5 s, doubling, at most 5 minutes."""
    doublings = min(max(attempts - 1, 0), 10)
    return min(timedelta(seconds=5 << doublings), LONGEST_PAUSE)


def may_send_again(*, sent_at: datetime, now: datetime) -> bool:
    """Whether the gateway still recognises the key of a request first sent at `sent_at`."""
    return now - sent_at < KEY_LIFETIME
