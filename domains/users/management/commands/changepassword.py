from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from domains.users import queries, services
from domains.users.management import passwords
from infrastructure import clock
from infrastructure.errors import DomainError


class Command(BaseCommand):
    """In place of Django's, which would leave the sessions that the old password opened."""

    help = "Give an account a new password and end its sessions."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        passwords.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        user = queries.users(email=options["email"]).first()
        if user is None:
            raise CommandError("No account has this e-mail address.")
        try:
            services.set_password(
                user_id=user.id,
                password=passwords.password_from(options, ask=True),
                now=clock.now(),
            )
        except DomainError as refusal:
            raise CommandError(refusal.detail) from None
        self.stdout.write(f"Changed the password of {user.id} and ended its sessions.")
