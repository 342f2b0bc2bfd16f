"""The tables of the `platform` schema, of which every database has its own."""

from infrastructure.outbox.models import OutboxMessage

__all__ = ["OutboxMessage"]
