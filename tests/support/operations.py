"""A kind of operation of the tests' own: packs a parcel per number, in batches."""

from __future__ import annotations

from infrastructure.database.contexts import alias_of, connection_at
from infrastructure.errors import DomainError, Transient
from infrastructure.operations.registry import runs
from infrastructure.operations.work import Fault, Work
from tests.support.sample.models import Parcel

KIND = "orders.pack_parcels"
SCOPE = "orders.read"
CONTEXT = "orders"
# Held by a test, it keeps the body inside the transaction of the batch that begins with `wait_at`.
DOOR = 4712


class NoPaper(DomainError):
    """There is nothing to wrap parcels in."""

    code, status, title = "no_paper", 409, "No paper"


@runs(KIND, scope=SCOPE)
def pack_parcels(work: Work) -> None:
    """params: `count` of parcels, `size` of a batch; `refuse`: numbers that are at fault;
    `wait_at`; `fail` with what."""
    size = work.params.get("size", 10)
    numbers = range(work.checkpoint.get("next", 0), work.params["count"])
    work.progress(total=work.params["count"])
    fail_if_told(work)
    for batch in work.batches(numbers, size=size):
        with work.transaction():
            with work.effects():
                faults = pack(batch, work)
            work.progress(
                done=work.done + len(batch), checkpoint={"next": batch[-1] + 1}, faults=faults
            )
    work.finish(result={"packed": work.done - work.failed})


def pack(batch: list[int], work: Work) -> list[Fault]:
    refused = set(work.params.get("refuse", ()))
    for number in batch:
        if number not in refused:
            Parcel.pack(label=f"p{number}", names=["string"], now=work.now()).save()
    if batch[0] == work.params.get("wait_at"):
        with connection_at(alias_of(CONTEXT)).cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [DOOR])
    return [
        Fault(row=number, code="fragile", detail="It would break.", pointer="/label")
        for number in batch
        if number in refused
    ]


def fail_if_told(work: Work) -> None:
    how = work.params.get("fail")
    if how == "refusal":
        raise NoPaper("The paper is used up.")
    if how == "transient":
        raise Transient("the shelf is away")
    if how == "bug":
        raise RuntimeError("the password is hunter2")
    if how == "ctrl-c":
        raise KeyboardInterrupt


def packed() -> list[int]:
    labels = Parcel.objects.using(alias_of(CONTEXT)).values_list("label", flat=True)
    return sorted(int(label.removeprefix("p")) for label in labels)
