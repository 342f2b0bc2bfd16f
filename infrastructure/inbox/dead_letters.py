"""Events that a handler could not handle: set aside whole, in order, where people can see them."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from django.db import transaction

from infrastructure.database.contexts import alias_of
from infrastructure.events.envelope import Headers, Message, id_of
from infrastructure.events.subscriptions import Subscription
from infrastructure.inbox.models import BlockedKey, DeadLetter
from infrastructure.observability.logging import scrub

STACK_BYTES = 4096
ERROR_CHARACTERS = 500

Forward = Callable[[Message, Headers], None]


def keep_to_myself(message: Message, headers: Headers) -> None:
    """For where there is no broker: the letter is in the database only."""


class DeadLetters:
    """Where one context's handlers leave what they cannot handle.

    `forward` puts the message onto its topic's dead letter topic and returns when that is
    acknowledged. It comes first: a crash in between sets the message aside twice there under one
    event id, and never loses it.
    """

    def __init__(self, context: str, forward: Forward = keep_to_myself) -> None:
        self._context = context
        self._alias = alias_of(context)
        self._forward = forward

    def set_aside(
        self,
        message: Message,
        subscription: Subscription,
        error: BaseException,
        *,
        attempts: int,
        now: datetime,
    ) -> None:
        """Set a failed event aside; where order matters its key is blocked for this handler."""
        # What a database says of an error has the row in it, and letters outlive its erasure.
        stack = scrub("".join(traceback.format_exception(error)))[-STACK_BYTES:]
        letter = self._letter(message, subscription.label, now)
        letter.error_class = type(error).__qualname__
        letter.error = _printable(scrub(str(error)))[:ERROR_CHARACTERS]
        letter.stack = _printable(stack)
        letter.attempts = attempts
        self._forward(message, self._headers(letter))
        with transaction.atomic(using=self._alias):
            if subscription.ordered:
                BlockedKey.objects.using(self._alias).bulk_create(
                    [
                        BlockedKey(
                            handler=subscription.label,
                            topic=message.topic,
                            key=letter.key,
                            since=now,
                        )
                    ],
                    ignore_conflicts=True,
                )
            self._write(letter)

    def follow(self, message: Message, subscription: Subscription, *, now: datetime) -> None:
        """Set an event aside behind a failed one, within the transaction that saw the block."""
        if (
            DeadLetter.objects.using(self._alias)
            .filter(handler=subscription.label, event_id=id_of(message), resolution="")
            .exists()
        ):
            return  # it came again; it may be the failed one itself
        letter = self._letter(message, subscription.label, now)
        self._forward(message, self._headers(letter))
        self._write(letter)

    def count_open(self) -> int:
        """How many letters of this context nobody has resolved."""
        letters = DeadLetter.objects.using(self._alias).filter(resolution="")
        return letters.filter(handler__startswith=f"{self._context}.").count()

    def _letter(self, message: Message, handler: str, now: datetime) -> DeadLetter:
        return DeadLetter(
            handler=handler,
            event_id=id_of(message),
            topic=message.topic,
            partition=message.partition,
            offset=message.offset,
            key=_printable(message.key.decode(errors="replace")),
            headers=[[name, _as_text(value)] for name, value in message.headers],
            payload=message.value,
            failed_at=now,
        )

    def _write(self, letter: DeadLetter) -> None:
        """An event that fails again, after a crash or a replay, opens its old letter again."""
        DeadLetter.objects.using(self._alias).bulk_create(
            [letter],
            update_conflicts=True,
            unique_fields=["handler", "event_id"],
            update_fields=[
                "resolution",
                "resolved_at",
                "error_class",
                "error",
                "stack",
                "attempts",
            ],
        )

    def _headers(self, letter: DeadLetter) -> Headers:
        return [
            ("dlq_handler", letter.handler),
            ("dlq_context", self._context),
            ("dlq_error_class", letter.error_class),
            ("dlq_error", letter.error),
            ("dlq_stack", letter.stack),
            ("dlq_attempts", str(letter.attempts)),
            ("dlq_topic", letter.topic),
            ("dlq_partition", str(letter.partition)),
            ("dlq_offset", str(letter.offset)),
            ("dlq_failed_at", letter.failed_at.isoformat()),
        ]


def message_of(letter: DeadLetter) -> Message:
    """The message as it came."""
    return Message(
        topic=letter.topic,
        partition=letter.partition,
        offset=letter.offset,
        key=letter.key.encode(),
        value=bytes(letter.payload),
        headers=[(name, value) for name, value in letter.headers],
    )


def drop(alias: str, *, handler: str, event_id: UUID, now: datetime) -> bool:
    """Give an event up for one handler. False if no such letter is open."""
    return bool(
        DeadLetter.objects.using(alias)
        .filter(handler=handler, event_id=event_id, resolution="")
        .update(resolution=DeadLetter.Resolution.DROPPED, resolved_at=now)
    )


def _as_text(value: str | bytes | None) -> str | None:
    return _printable(value.decode(errors="replace")) if isinstance(value, bytes) else value


def _printable(text: str) -> str:
    """PostgreSQL's text cannot hold NUL."""
    return text.replace("\x00", "�")
