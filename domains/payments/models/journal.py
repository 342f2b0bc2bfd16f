"""The books of what was taken and given back."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from infrastructure.aggregates import OwnedModel


class JournalEntry(OwnedModel):
    """One booking: an amount that one account owes and another is owed.

    Debit and credit are the same row, so they cannot differ.
    """

    class Account(models.TextChoices):
        BANK = "BANK", "What is on our bank account"
        GATEWAY = "GATEWAY", "What the gateway owes us"
        CUSTOMERS = "CUSTOMERS", "What customers have paid"

    payment = models.ForeignKey(
        "payments.Payment", on_delete=models.PROTECT, related_name="journal_rows"
    )
    operation_id = models.UUIDField(unique=True)
    debit_account = models.CharField(max_length=20, choices=Account)
    credit_account = models.CharField(max_length=20, choices=Account)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    booked_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "journal entries"
        constraints = [
            models.CheckConstraint(
                name="journal_amount_is_positive", condition=Q(amount_minor__gt=0)
            ),
            models.CheckConstraint(
                name="journal_accounts_differ",
                condition=~Q(debit_account=models.F("credit_account")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.debit_account} to {self.credit_account}: {self.amount_minor}"
