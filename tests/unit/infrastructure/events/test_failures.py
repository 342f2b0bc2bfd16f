from __future__ import annotations

import psycopg
import pytest
import redis
from django.db import IntegrityError, InterfaceError, OperationalError

from infrastructure.aggregates import ConcurrentModification
from infrastructure.errors import DomainError, Transient, Unavailable
from infrastructure.events.failures import Failure, classify
from infrastructure.kafka.errors import KafkaUnavailable


def database_error(cause: Exception) -> OperationalError:
    error = OperationalError(str(cause))
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        InterfaceError("connection already closed"),
        database_error(psycopg.OperationalError("connection refused")),
        database_error(psycopg.errors.AdminShutdown("terminating connection")),
        database_error(psycopg.errors.TooManyConnections("sorry")),
        redis.ConnectionError("refused"),
        redis.TimeoutError("too slow"),
        KafkaUnavailable("away"),
        Unavailable("away"),
    ],
    ids=lambda error: type(error.__cause__ or error).__name__,
)
def test_what_every_event_would_meet_is_an_outage(error: Exception) -> None:
    assert classify(error) is Failure.OUTAGE


@pytest.mark.parametrize(
    "error",
    [
        database_error(psycopg.errors.DeadlockDetected("deadlock")),
        database_error(psycopg.errors.QueryCanceled("statement timeout")),
        ConcurrentModification(),
        Transient("later"),
        ConnectionResetError(),
        TimeoutError(),
    ],
    ids=lambda error: type(error.__cause__ or error).__name__,
)
def test_what_may_pass_is_tried_again(error: Exception) -> None:
    assert classify(error) is Failure.TRANSIENT


@pytest.mark.parametrize(
    "error", [ValueError(), KeyError("x"), IntegrityError("duplicate"), DomainError("no")]
)
def test_everything_else_stays_as_it_is(error: Exception) -> None:
    assert classify(error) is Failure.PERMANENT
