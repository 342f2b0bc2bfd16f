from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from domains.users import queries, rules, services
from infrastructure import clock
from infrastructure.errors import DomainError


class Command(BaseCommand):
    help = "Put a customer into a group, whose prices hold for them from then on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--email", required=True)
        parser.add_argument("--group", required=True, help="a code; empty for no group")

    def handle(self, *args: Any, **options: Any) -> None:
        user = queries.users(email=options["email"]).first()
        if user is None:
            raise CommandError("Nobody has this address.")
        try:
            user = services.set_customer_group(
                user_id=user.id,
                customer_group=options["group"],
                scopes=rules.SCOPES,  # Operators may do everything.
                now=clock.now(),
            )
        except DomainError as refusal:
            raise CommandError(refusal.detail) from None
        self.stdout.write(f"{user.id} belongs to {user.customer_group or 'no group'}.")
