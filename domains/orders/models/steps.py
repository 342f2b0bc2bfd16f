"""What was asked of a confirmed order and goes over several contexts."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from domains.orders.rules.history import By, Kind
from domains.orders.rules.steps import OPEN_STATES, StepKind, StepState
from infrastructure.aggregates import OwnedModel
from infrastructure.ids import new_id
from infrastructure.pii.fields import PersonalJSONField


class OrderStep(OwnedModel):
    """One command, written before anything of it is done, and carried out by settling.

    Its id is the key of everything that it does elsewhere, so whoever finds it unfinished may do
    it again from the beginning.

    params: all that carrying it out needs, decided when it was asked for. Nothing personal: new
    addresses are in `address`, by what they are of, `shipping` or `billing`, and the token of a
    means of payment is kept until the outcome only.
    former_address: what an edit put something else in the place of, by the same names; empty for an
    order that was invoiced where its goods went.
    takes, gives: money that it takes from the customer, or gives back, in minor units.
    refusal, faults: why it came to nothing.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    order = models.ForeignKey("orders.Order", on_delete=models.PROTECT, related_name="step_rows")
    kind = models.CharField(max_length=12, choices=[(k.value, k.value) for k in StepKind])
    state = models.CharField(max_length=17, choices=[(s.value, s.value) for s in StepState])
    params = models.JSONField(default=dict, blank=True)
    address = PersonalJSONField(null=True, blank=True)
    former_address = PersonalJSONField(null=True, blank=True)
    payment_token = models.CharField(max_length=200, blank=True)
    takes_minor = models.BigIntegerField(default=0)
    gives_minor = models.BigIntegerField(default=0)
    reason = models.CharField(max_length=60, blank=True)
    actor_kind = models.CharField(max_length=10, choices=[(k.value, k.value) for k in Kind])
    actor_id = models.UUIDField(null=True, blank=True)
    decided_by = models.UUIDField(null=True, blank=True)
    refusal = models.CharField(max_length=60, blank=True)
    faults = models.JSONField(default=list, blank=True)
    requested_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "step"
        ordering = ["requested_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["order"],
                name="orders_one_open_step",
                condition=Q(finished_at__isnull=True),
            ),
            models.CheckConstraint(
                condition=Q(takes_minor__gte=0, gives_minor__gte=0),
                name="orders_step_amounts_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(state__in=OPEN_STATES, finished_at__isnull=True)
                | (~Q(state__in=OPEN_STATES) & Q(finished_at__isnull=False)),
                name="orders_step_ends_once",
            ),
        ]
        indexes = [
            models.Index(
                fields=["requested_at"],
                name="orders_steps_to_approve",
                condition=Q(state="AWAITING_APPROVAL"),
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.state}"

    @property
    def is_open(self) -> bool:
        return self.finished_at is None

    @property
    def taken_minor(self) -> int:
        """What it took, or an edit had authorised anew: nothing before the gateway has said so."""
        return self.takes_minor if self.state in (StepState.APPLIED, StepState.DONE) else 0

    @property
    def is_paying(self) -> bool:
        """Whether a payment is being made under its id, which its customer may have to confirm."""
        return self.state == StepState.REQUESTED and bool(self.params.get("pays_anew"))

    @property
    def changes_billing(self) -> bool:
        """Whether it is about whom the invoice is made out to."""
        return "billing" in (self.address or {})

    @property
    def actor(self) -> By:
        return By(kind=Kind(self.actor_kind), id=self.actor_id)
