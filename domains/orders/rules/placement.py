"""What an order needs next, decided from the facts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

# A placement that is older is taken up by the recovery task.
PLACEMENT_DEADLINE = timedelta(seconds=10)


def may_be_at_work(*, since: datetime, now: datetime) -> bool:
    """Whether the request that began something then may still be at work on it. Later it is
    recovery's, and whoever sends the request again is told how far it is."""
    return now - since < PLACEMENT_DEADLINE


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
    """What is known of the money. WAITING: the customer has to confirm or to send it."""

    NONE = "NONE"
    GIVEN = "GIVEN"
    REFUSED = "REFUSED"
    WAITING = "WAITING"
    UNKNOWN = "UNKNOWN"
    CAPTURED = "CAPTURED"
    GIVEN_BACK = "GIVEN_BACK"


class Uses(StrEnum):
    """What is known of the limited promotions that the order makes use of. NONE: there are none."""

    NONE = "NONE"
    OPEN = "OPEN"
    REDEEMED = "REDEEMED"
    REFUSED = "REFUSED"
    GIVEN_BACK = "GIVEN_BACK"


class Step(StrEnum):
    HOLD = "HOLD"
    REDEEM = "REDEEM"
    DROP_PAYMENT = "DROP_PAYMENT"
    AUTHORISE = "AUTHORISE"
    AWAIT_PAYMENT = "AWAIT_PAYMENT"
    CONFIRM = "CONFIRM"
    REJECT = "REJECT"
    CANCEL = "CANCEL"
    REFUSE_CANCEL = "REFUSE_CANCEL"
    CARRY_ON = "CARRY_ON"
    COMPLETE = "COMPLETE"
    RELEASE = "RELEASE"
    GIVE_BACK = "GIVE_BACK"
    VOID = "VOID"
    RELEASE_REST = "RELEASE_REST"
    FINISH = "FINISH"
    WAIT = "WAIT"
    REST = "REST"


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """keeps_on_decline: a declined payment may be followed by another one. awaits_payment: until
    when is written down. overdue: that time is over. supersedes: an earlier payment may hold money
    still. step_open: a command such as a return is being carried out; step_waits:
    it waits for a second person. sent: nothing is left to be
    sent. paid: all that is to be paid is ours, or granted on account. unpayable: the gateway was
    not to be called, just now; given_time: it has been so for as long as the shop waits.
    holds_rest: the gateway holds more than the part that was taken.
    """

    status: str
    cancel_requested: bool = False
    finished: bool = False
    hold: Hold = Hold.NONE
    uses: Uses = Uses.NONE
    guarantee: Guarantee = Guarantee.NONE
    keeps_on_decline: bool = False
    awaits_payment: bool = False
    overdue: bool = False
    supersedes: bool = False
    step_open: bool = False
    step_waits: bool = False
    sent: bool = False
    paid: bool = False
    unpayable: bool = False
    given_time: bool = False
    holds_rest: bool = False


def next_step(facts: Facts) -> Step:
    """What an order needs next. WAIT: only people can help; REST: nothing is left."""
    if facts.status == Status.PENDING:
        return _next_of_pending(facts)
    if facts.step_open:
        return Step.CARRY_ON
    if facts.step_waits and facts.status == Status.CONFIRMED:
        return Step.REST  # what it is about is to be there still when somebody agrees
    if facts.status in (Status.CONFIRMED, Status.COMPLETED):
        return _next_of_standing(facts)
    if facts.finished:
        return Step.REST
    return _next_of_ended(facts)


def _next_of_pending(facts: Facts) -> Step:
    if facts.cancel_requested:
        # What is paid already is not let go by ending: it is an order, and what is left is to
        # refuse, or to give the money back.
        is_paid = facts.guarantee == Guarantee.CAPTURED and facts.hold == Hold.HELD
        return Step.CONFIRM if is_paid else Step.CANCEL
    if facts.hold == Hold.NONE:
        return Step.HOLD
    if facts.hold in (Hold.REFUSED, Hold.RELEASED):
        return Step.REJECT
    if facts.uses == Uses.OPEN:
        return Step.REDEEM
    if facts.uses in (Uses.REFUSED, Uses.GIVEN_BACK):
        return Step.REJECT
    if facts.supersedes:
        return Step.DROP_PAYMENT
    if facts.guarantee == Guarantee.NONE and facts.unpayable:
        return Step.REJECT if facts.given_time else Step.WAIT
    if facts.guarantee in (Guarantee.NONE, Guarantee.UNKNOWN):
        return Step.AUTHORISE  # asking again under the same key is how an outcome is learnt
    if facts.guarantee in (Guarantee.GIVEN, Guarantee.CAPTURED):
        return Step.CONFIRM
    may_be_paid = facts.guarantee == Guarantee.WAITING or (
        facts.guarantee == Guarantee.REFUSED and facts.keeps_on_decline
    )
    if may_be_paid and not facts.overdue:
        return Step.WAIT if facts.awaits_payment else Step.AWAIT_PAYMENT
    # What the customer could pay still has to be let go before the order ends without it.
    return Step.VOID if facts.guarantee == Guarantee.WAITING else Step.REJECT


def _next_of_standing(facts: Facts) -> Step:
    if facts.status == Status.CONFIRMED:
        if facts.cancel_requested:
            return _next_of_called_off(facts)
        if facts.sent and facts.paid:
            return Step.COMPLETE
    elif facts.holds_rest:
        return Step.RELEASE_REST
    return Step.REST if facts.finished else Step.FINISH


def _next_of_called_off(facts: Facts) -> Step:
    if facts.guarantee == Guarantee.CAPTURED:
        return Step.REFUSE_CANCEL
    if facts.guarantee in (Guarantee.GIVEN, Guarantee.UNKNOWN, Guarantee.WAITING):
        return Step.VOID
    return Step.CANCEL


def _next_of_ended(facts: Facts) -> Step:
    if facts.hold != Hold.RELEASED:
        return Step.RELEASE
    if facts.uses in (Uses.OPEN, Uses.REDEEMED, Uses.REFUSED):
        return Step.GIVE_BACK
    if facts.supersedes:
        return Step.DROP_PAYMENT
    if facts.holds_rest:
        return Step.RELEASE_REST
    if facts.guarantee == Guarantee.CAPTURED:
        return Step.WAIT  # a void cannot give taken money back: staff have to
    if facts.guarantee in (Guarantee.GIVEN_BACK, Guarantee.REFUSED):
        return Step.FINISH
    return Step.VOID
