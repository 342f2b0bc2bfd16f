from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from domains.users import rules, services
from domains.users.management import passwords
from infrastructure import clock
from infrastructure.errors import DomainError


class Command(BaseCommand):
    help = "Open an account for a member of staff."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--email", required=True)
        parser.add_argument("--name", default="")
        parser.add_argument(
            "--role",
            dest="roles",
            action="append",
            choices=sorted(rules.ROLES),
            default=[],
            help="may be given several times",
        )
        passwords.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            user = services.create_staff(
                email=options["email"],
                password=passwords.password_from(options, ask=True),
                name=options["name"],
                roles=options["roles"],
                now=clock.now(),
            )
        except DomainError as refusal:
            raise CommandError(refusal.detail) from None
        self.stdout.write(f"Created {user.id} with roles: {', '.join(user.roles) or 'none'}.")
