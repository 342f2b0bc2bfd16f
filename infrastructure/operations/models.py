"""Long work as rows: what shall be done, how far it has come, and what was wrong with the input."""

from __future__ import annotations

from django.db import models

from infrastructure.ids import new_id

# Faults kept of one operation; of the rest only the number is.
FAULTS_KEPT = 10_000


class Operation(models.Model):
    """One piece of work that outlives the request that asked for it.

    Written by guarded statements only (`leases`, `work`, `services`): whoever runs it holds a lease
    and names itself in every write, so that a worker that was taken for dead cannot write any more.

    `attempts` counts runs since the last one that came any further. `hinted_at` is when a worker
    was last told of it. `failed` of the `done` rows are at fault; `total` is null until it is
    known. `followed_by`: of a dry run, what was then started to really do it.
    """

    class State(models.TextChoices):
        QUEUED = "QUEUED"
        RUNNING = "RUNNING"
        SUCCEEDED = "SUCCEEDED"
        FAILED = "FAILED"
        CANCELLED = "CANCELLED"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.TextField()
    context = models.TextField()
    scope = models.TextField()
    state = models.CharField(max_length=9, choices=State, default=State.QUEUED)
    dry_run = models.BooleanField(default=False)
    params = models.JSONField(default=dict)
    input_file = models.TextField(default="")
    total = models.IntegerField(null=True)
    done = models.IntegerField(default=0)
    failed = models.IntegerField(default=0)
    faults_kept = models.IntegerField(default=0)
    faults_left_out = models.IntegerField(default=0)
    checkpoint = models.JSONField(default=dict)
    result = models.JSONField(null=True)
    result_file = models.TextField(default="")
    error_code = models.TextField(default="")
    error_detail = models.TextField(default="")
    created_by = models.UUIDField(null=True)
    followed_by = models.UUIDField(null=True)
    cancel_requested_at = models.DateTimeField(null=True)
    lease_holder = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    attempts = models.SmallIntegerField(default=0)
    hinted_at = models.DateTimeField()
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "platform"
        verbose_name = "operation"
        indexes = [
            models.Index(fields=["created_by", "id"], name="operation_owner"),
            models.Index(
                fields=["hinted_at"],
                name="operation_open",
                condition=models.Q(state__in=("QUEUED", "RUNNING")),
            ),
            models.Index(
                fields=["finished_at"],
                name="operation_finished",
                condition=models.Q(finished_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"

    @property
    def is_finished(self) -> bool:
        return self.state not in (self.State.QUEUED, self.State.RUNNING)


class OperationFault(models.Model):
    """What is wrong with one row of an operation's input."""

    id = models.BigAutoField(primary_key=True)
    # The unique constraint below begins with it, so an index of its own would serve nothing.
    operation = models.ForeignKey(
        Operation, on_delete=models.CASCADE, related_name="faults", db_index=False
    )
    row_number = models.IntegerField()
    pointer = models.TextField(default="")
    code = models.TextField()
    detail = models.TextField()

    class Meta:
        app_label = "platform"
        verbose_name = "fault of an operation"
        verbose_name_plural = "faults of operations"
        constraints = [
            models.UniqueConstraint(
                fields=["operation", "row_number", "pointer"], name="operation_fault_once"
            )
        ]

    def __str__(self) -> str:
        return f"row {self.row_number}"
