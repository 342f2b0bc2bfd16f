"""`manage.py dead_letters list|show|redrive|drop`: events that a handler could not handle."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from infrastructure import clock
from infrastructure.database.contexts import alias_of, aliases
from infrastructure.events.subscriptions import subscriptions_of
from infrastructure.inbox.dead_letters import drop
from infrastructure.inbox.models import DeadLetter
from infrastructure.inbox.redrive import open_letters, redrive, unblock_if_empty


class Command(BaseCommand):
    help = "List, show, redrive or drop the events that handlers could not handle."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        for name, description in (
            ("list", "what waits, in the order in which it would be handled"),
            ("redrive", "hand what waits to the handler that failed, and to no other"),
        ):
            action = actions.add_parser(name, help=description)
            action.add_argument("--handler", default="", help="only of this handler")
            action.add_argument("--key", default="", help="only of this aggregate")
        show = actions.add_parser("show", help="everything about one event")
        show.add_argument("event_id", type=UUID)
        dropping = actions.add_parser("drop", help="give one event up for one handler")
        dropping.add_argument("handler")
        dropping.add_argument("event_id", type=UUID)

    def handle(self, *args: Any, **options: Any) -> None:
        getattr(self, f"_{options['action']}")(options)

    def _list(self, options: dict[str, Any]) -> None:
        found = 0
        for alias in aliases():
            for letter in open_letters(alias, handler=options["handler"], key=options["key"]):
                found += 1
                why = f"{letter.error_class}: {letter.error}" if letter.error_class else "waits"
                self.stdout.write(
                    f"{letter.failed_at:%Y-%m-%d %H:%M:%S}  {letter.handler}  {letter.event_id}"
                    f"  {letter.topic} {letter.key}  {why}"
                )
        self.stdout.write(f"{found} open dead letters")

    def _show(self, options: dict[str, Any]) -> None:
        letters = [
            letter
            for alias in aliases()
            for letter in DeadLetter.objects.using(alias).filter(event_id=options["event_id"])
        ]
        if not letters:
            raise CommandError("No dead letter has this event id.")
        for letter in letters:
            self.stdout.write(f"handler   {letter.handler}")
            self.stdout.write(
                f"place     {letter.topic}, partition {letter.partition}, offset {letter.offset}"
            )
            self.stdout.write(f"key       {letter.key}")
            self.stdout.write(
                f"state     {letter.resolution or 'open'}, {letter.attempts} attempts"
            )
            for name, value in letter.headers:
                self.stdout.write(f"header    {name}: {value}")
            self.stdout.write(f"payload   {bytes(letter.payload).decode(errors='replace')}")
            self.stdout.write(letter.stack or "It waits behind an event of its key that failed.")

    def _redrive(self, options: dict[str, Any]) -> None:
        handled, failed = 0, 0
        for context in self._contexts(options["handler"]):
            result = redrive(context, handler=options["handler"], key=options["key"])
            handled, failed = handled + len(result.handled), failed + len(result.failed)
            for event_id, error in result.failed.items():
                self.stdout.write(f"{event_id}  {error}")
        self.stdout.write(f"{handled} handled, {failed} failed again")
        if failed:
            raise CommandError("Some events still cannot be handled; what follows them waits on.")

    def _drop(self, options: dict[str, Any]) -> None:
        handler, event_id = options["handler"], options["event_id"]
        (context,) = self._contexts(handler)
        alias = alias_of(context)
        letter = open_letters(alias, handler=handler, event_id=event_id).first()
        if letter is None or not drop(alias, handler=handler, event_id=event_id, now=clock.now()):
            raise CommandError(f"{handler} has no open dead letter of {event_id}.")
        freed = unblock_if_empty(alias, handler, letter.topic, letter.key)
        self.stdout.write(
            "dropped; its key is free" if freed else "dropped; redrive what waited behind it"
        )

    def _contexts(self, handler: str) -> list[str]:
        """The contexts whose letters are asked for, which is one for a handler."""
        found = [
            context
            for context in settings.ALIAS_OF_CONTEXT
            if any(s.label == handler or not handler for s in subscriptions_of(context))
        ]
        if not found:
            raise CommandError(f"There is no handler {handler}.")
        return found
