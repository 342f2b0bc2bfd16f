"""Who did something to an order."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Kind(StrEnum):
    CUSTOMER = "customer"
    STAFF = "staff"
    SYSTEM = "system"


@dataclass(frozen=True, kw_only=True, slots=True)
class By:
    """Somebody who acts on an order. A guest is a customer without an id; so is the system, for
    what happens by itself."""

    kind: Kind
    id: UUID | None = None


# What is for members of staff among themselves: the customer does not see it.
INTERNAL = frozenset(
    {
        "note",
        "approval_asked",
        "step_approved",
        "step_disapproved",
        "step_refused",
        "refund_refused",
    }
)

SYSTEM = By(kind=Kind.SYSTEM)
