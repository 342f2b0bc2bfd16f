"""The tables of the `platform` schema, of which every database has its own."""

from infrastructure.http.models import IdempotencyRecord
from infrastructure.inbox.models import BlockedKey, DeadLetter, HeardRange, InboxMark
from infrastructure.operations.models import Operation, OperationFault
from infrastructure.outbox.models import OutboxMessage, ParkedMessage

__all__ = [
    "BlockedKey",
    "DeadLetter",
    "HeardRange",
    "IdempotencyRecord",
    "InboxMark",
    "Operation",
    "OperationFault",
    "OutboxMessage",
    "ParkedMessage",
]
