import django.db.models.deletion
from django.db import migrations, models

import infrastructure.ids


class Migration(migrations.Migration):
    dependencies = [
        ("platform", "0003_idempotency"),
    ]

    operations = [
        migrations.CreateModel(
            name="Operation",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=infrastructure.ids.new_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("kind", models.TextField()),
                ("context", models.TextField()),
                ("scope", models.TextField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("QUEUED", "Queued"),
                            ("RUNNING", "Running"),
                            ("SUCCEEDED", "Succeeded"),
                            ("FAILED", "Failed"),
                            ("CANCELLED", "Cancelled"),
                        ],
                        default="QUEUED",
                        max_length=9,
                    ),
                ),
                ("dry_run", models.BooleanField(default=False)),
                ("params", models.JSONField(default=dict)),
                ("input_file", models.TextField(default="")),
                ("total", models.IntegerField(null=True)),
                ("done", models.IntegerField(default=0)),
                ("failed", models.IntegerField(default=0)),
                ("faults_kept", models.IntegerField(default=0)),
                ("faults_left_out", models.IntegerField(default=0)),
                ("checkpoint", models.JSONField(default=dict)),
                ("result", models.JSONField(null=True)),
                ("result_file", models.TextField(default="")),
                ("error_code", models.TextField(default="")),
                ("error_detail", models.TextField(default="")),
                ("created_by", models.UUIDField(null=True)),
                ("cancel_requested_at", models.DateTimeField(null=True)),
                ("lease_holder", models.UUIDField(null=True)),
                ("lease_until", models.DateTimeField(null=True)),
                ("attempts", models.SmallIntegerField(default=0)),
                ("hinted_at", models.DateTimeField()),
                ("created_at", models.DateTimeField()),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={
                "verbose_name": "operation",
                "indexes": [
                    models.Index(fields=["created_by", "id"], name="operation_owner"),
                    models.Index(
                        condition=models.Q(("state__in", ("QUEUED", "RUNNING"))),
                        fields=["hinted_at"],
                        name="operation_open",
                    ),
                    models.Index(
                        condition=models.Q(("finished_at__isnull", False)),
                        fields=["finished_at"],
                        name="operation_finished",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="OperationFault",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("row_number", models.IntegerField()),
                ("pointer", models.TextField(default="")),
                ("code", models.TextField()),
                ("detail", models.TextField()),
                (
                    "operation",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="faults",
                        to="platform.operation",
                    ),
                ),
            ],
            options={
                "verbose_name": "fault of an operation",
                "verbose_name_plural": "faults of operations",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("operation", "row_number", "pointer"), name="operation_fault_once"
                    )
                ],
            },
        ),
    ]
