from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("platform", "0002_messaging"),
    ]

    operations = [
        migrations.CreateModel(
            name="IdempotencyRecord",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("client", models.TextField()),
                ("route", models.TextField()),
                ("key", models.TextField()),
                ("fingerprint", models.BinaryField(max_length=32)),
                ("subject_id", models.UUIDField()),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "idempotency record",
                "indexes": [models.Index(fields=["created_at"], name="platform_idempotency_age")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("client", "route", "key"), name="platform_idempotency_once"
                    )
                ],
            },
        ),
    ]
