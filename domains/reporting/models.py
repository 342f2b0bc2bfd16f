"""Read models: built from events, and from nothing else."""

from __future__ import annotations

from django.db import models


class SalesDay(models.Model):
    """What happened to orders on one day (UTC) in one currency. See rules.sales.Sales."""

    day = models.DateField()
    currency = models.CharField(max_length=3)
    confirmed = models.PositiveBigIntegerField()
    rejected = models.PositiveBigIntegerField()
    cancelled = models.PositiveBigIntegerField()
    confirmed_minor = models.BigIntegerField()
    cancelled_minor = models.BigIntegerField()

    class Meta:
        verbose_name = "sales of a day"
        verbose_name_plural = "sales by day"
        constraints = [
            models.UniqueConstraint(fields=["day", "currency"], name="reporting_salesday_once")
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.currency}"
