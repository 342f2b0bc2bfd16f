"""The aggregate of payments. Django wants to find all models here."""

from domains.payments.models.base import NO_CURRENCY
from domains.payments.models.differences import Comparison, ReconciliationDifference
from domains.payments.models.journal import JournalEntry
from domains.payments.models.operations import Operation
from domains.payments.models.payments import Payment
from domains.payments.models.saved_methods import SavedMethod

__all__ = [
    "NO_CURRENCY",
    "Comparison",
    "JournalEntry",
    "Operation",
    "Payment",
    "ReconciliationDifference",
    "SavedMethod",
]
