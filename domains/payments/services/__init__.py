"""Commands on payments.

Every request to a gateway is committed as SENT before its first byte leaves, and is made outside
any transaction. Its outcome is written by compare-and-set on the payment's version: who loses
re-reads and obeys. Whoever finds an operation unfinished may send it again under its key, since
the gateway carries out each key once.
"""

from domains.payments.services.authorising import authorise, check_method, unavailable_for_s
from domains.payments.services.batches import AuthoriseRequest, authorise_many
from domains.payments.services.notifying import receive_notification
from domains.payments.services.outcomes import refresh, resolve, resolve_unfinished
from domains.payments.services.receiving import note_overpaid, record_receipt
from domains.payments.services.reconciling import (
    Reconciliation,
    apply_early_notifications,
    close_difference,
    compare_again,
    reconcile,
    reconcile_due,
)
from domains.payments.services.saved_methods import delete_saved_method, forget_deleted_methods
from domains.payments.services.taking import (
    capture,
    refund,
    release_rest,
    void,
    void_or_forestall,
    would_capture,
    would_refund,
    would_void,
)

__all__ = [
    "AuthoriseRequest",
    "Reconciliation",
    "apply_early_notifications",
    "authorise",
    "authorise_many",
    "capture",
    "check_method",
    "close_difference",
    "compare_again",
    "delete_saved_method",
    "forget_deleted_methods",
    "note_overpaid",
    "receive_notification",
    "reconcile",
    "reconcile_due",
    "record_receipt",
    "refresh",
    "refund",
    "release_rest",
    "resolve",
    "resolve_unfinished",
    "unavailable_for_s",
    "void",
    "void_or_forestall",
    "would_capture",
    "would_refund",
    "would_void",
]
