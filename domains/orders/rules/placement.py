"""What an order needs next, decided from the facts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

# A placement that is older is taken up by the recovery task.
PLACEMENT_DEADLINE = timedelta(seconds=10)


class Status(StrEnum):
    PENDING = "PENDING"
    CONFIRMED = "CONFIRMED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"
    COMPLETED = "COMPLETED"


class FulfilmentStatus(StrEnum):
    UNFULFILLED = "UNFULFILLED"
    PARTIALLY_FULFILLED = "PARTIALLY_FULFILLED"
    FULFILLED = "FULFILLED"


class ReturnStatus(StrEnum):
    NONE = "NONE"
    REQUESTED = "REQUESTED"
    PARTIALLY_RETURNED = "PARTIALLY_RETURNED"
    RETURNED = "RETURNED"


class Source(StrEnum):
    """How an order reached the shop."""

    WEB = "web"
    CART = "cart"
    STAFF = "staff"


class Hold(StrEnum):
    """What is known of the goods."""

    NONE = "NONE"
    HELD = "HELD"
    REFUSED = "REFUSED"
    RELEASED = "RELEASED"


class Guarantee(StrEnum):
    """What is known of the money."""

    NONE = "NONE"
    GIVEN = "GIVEN"
    REFUSED = "REFUSED"
    UNKNOWN = "UNKNOWN"
    CAPTURED = "CAPTURED"
    GIVEN_BACK = "GIVEN_BACK"


class Step(StrEnum):
    HOLD = "HOLD"
    AUTHORISE = "AUTHORISE"
    CONFIRM = "CONFIRM"
    REJECT = "REJECT"
    CANCEL = "CANCEL"
    REFUSE_CANCEL = "REFUSE_CANCEL"
    CARRY_ON = "CARRY_ON"
    RELEASE = "RELEASE"
    VOID = "VOID"
    FINISH = "FINISH"
    WAIT = "WAIT"
    REST = "REST"


@dataclass(frozen=True, slots=True)
class Facts:
    status: str
    cancel_requested: bool
    finished: bool
    hold: Hold
    guarantee: Guarantee
    # Whether a command such as a return is being carried out.
    step_open: bool = False


def next_step(facts: Facts) -> Step:
    """What an order needs next. WAIT: only people can help; REST: nothing is left."""
    if facts.status == Status.PENDING:
        return _next_of_pending(facts)
    if facts.step_open:
        return Step.CARRY_ON
    if facts.status == Status.COMPLETED:
        return Step.REST
    if facts.status == Status.CONFIRMED:
        return _next_of_confirmed(facts)
    if facts.finished:
        return Step.REST
    if facts.hold != Hold.RELEASED:
        return Step.RELEASE
    if facts.guarantee in (Guarantee.GIVEN, Guarantee.NONE, Guarantee.UNKNOWN):
        return Step.VOID
    if facts.guarantee == Guarantee.CAPTURED:
        return Step.WAIT  # a void cannot give taken money back: staff have to
    return Step.FINISH


def _next_of_pending(facts: Facts) -> Step:
    if facts.cancel_requested:
        return Step.CANCEL
    if facts.hold == Hold.NONE:
        return Step.HOLD
    if facts.hold in (Hold.REFUSED, Hold.RELEASED):
        return Step.REJECT
    if facts.guarantee in (Guarantee.NONE, Guarantee.UNKNOWN):
        return Step.AUTHORISE  # asking again under the same key is how an outcome is learnt
    if facts.guarantee in (Guarantee.REFUSED, Guarantee.GIVEN_BACK):
        return Step.REJECT
    return Step.CONFIRM


def _next_of_confirmed(facts: Facts) -> Step:
    if not facts.cancel_requested:
        return Step.REST
    if facts.guarantee == Guarantee.CAPTURED:
        return Step.REFUSE_CANCEL
    if facts.guarantee in (Guarantee.GIVEN, Guarantee.UNKNOWN):
        return Step.VOID
    return Step.CANCEL
