"""What a handler's failure means for its event."""

from __future__ import annotations

from enum import Enum

import redis
from django.db import InterfaceError, OperationalError

from infrastructure.aggregates import ConcurrentModification
from infrastructure.errors import Transient, Unavailable


class Failure(Enum):
    OUTAGE = "outage"  # every event would fail: wait, and count nobody's attempts
    TRANSIENT = "transient"  # this event may succeed later: a limited number of attempts
    PERMANENT = "permanent"  # trying again changes nothing


# SQLSTATE classes: connection exception, insufficient resources, operator intervention.
_OUTAGE_CLASSES = ("08", "53", "57P")


def classify(error: BaseException) -> Failure:
    if isinstance(error, Unavailable | redis.ConnectionError | redis.TimeoutError | InterfaceError):
        return Failure.OUTAGE
    if isinstance(error, OperationalError):
        state = getattr(error.__cause__, "sqlstate", None)
        # Without a state the server did not answer at all.
        if state is None or state.startswith(_OUTAGE_CLASSES):
            return Failure.OUTAGE
        return Failure.TRANSIENT
    if isinstance(error, Transient | ConcurrentModification | ConnectionError | TimeoutError):
        return Failure.TRANSIENT
    return Failure.PERMANENT
