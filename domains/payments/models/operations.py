"""What is asked of a gateway for a payment."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import Q

from domains.payments.rules.differences import DifferenceKind
from domains.payments.rules.gateways import Reply
from domains.payments.rules.operations import UNFINISHED, WAITING, OperationKind, OperationState
from domains.payments.rules.statuses import PaymentStatus
from infrastructure.aggregates import OwnedModel


def choices_of(
    values: type[DifferenceKind | OperationKind | OperationState | PaymentStatus],
) -> list[tuple[str, str]]:
    return [(value.value, value.replace("_", " ").capitalize()) for value in values]


class Operation(OwnedModel):
    """One request to the gateway. Its id is the key under which it may be sent again."""

    payment = models.ForeignKey(
        "payments.Payment", on_delete=models.PROTECT, related_name="operation_rows"
    )
    kind = models.CharField(max_length=10, choices=choices_of(OperationKind))
    amount_minor = models.BigIntegerField()
    state = models.CharField(max_length=16, choices=choices_of(OperationState))
    reason = models.CharField(max_length=200, default="", help_text="What staff gave as theirs.")
    actor_id = models.UUIDField(null=True, help_text="Who asked for it, if somebody did.")
    asked_elsewhere = models.BooleanField(
        default=False, help_text="Done at the gateway without us, such as in its dashboard."
    )
    decline_code = models.CharField(max_length=64, default="")
    gateway_reference = models.CharField(max_length=255, default="")
    attempts = models.PositiveIntegerField(default=0)
    sent_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                name="operation_one_authorisation",
                fields=["payment"],
                condition=Q(kind=OperationKind.AUTHORISE.value),
            ),
            models.UniqueConstraint(
                name="operation_one_unfinished",
                fields=["payment"],
                condition=Q(
                    kind__in=[
                        OperationKind.CAPTURE.value,
                        OperationKind.VOID.value,
                        OperationKind.REFUND.value,
                    ],
                    state__in=[state.value for state in UNFINISHED],
                ),
            ),
            models.UniqueConstraint(
                name="operation_told_once",
                fields=["payment", "kind", "gateway_reference"],
                condition=Q(kind=OperationKind.RECEIPT.value) | Q(asked_elsewhere=True),
            ),
        ]
        indexes = [
            models.Index(
                fields=["gateway_reference"],
                name="operation_authorisation",
                condition=Q(kind=OperationKind.AUTHORISE.value) & ~Q(gateway_reference=""),
            ),
            models.Index(
                fields=["finished_at"],
                name="operation_done",
                condition=Q(state=OperationState.SUCCEEDED.value, asked_elsewhere=False)
                & ~Q(kind=OperationKind.RECEIPT.value),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.state}"

    def finish(self, reply: Reply, now: datetime) -> None:
        self.state = OperationState.SUCCEEDED if reply.is_success else OperationState.FAILED
        self.gateway_reference = reply.gateway_reference
        self.decline_code = reply.refusal
        self.attempts += 1
        self.finished_at = now

    @property
    def is_unfinished(self) -> bool:
        """Only the gateway can tell what became of it."""
        return self.state in UNFINISHED

    @property
    def is_waiting(self) -> bool:
        """It is the customer's turn."""
        return self.state in WAITING

    @property
    def is_succeeded(self) -> bool:
        return self.state == OperationState.SUCCEEDED
