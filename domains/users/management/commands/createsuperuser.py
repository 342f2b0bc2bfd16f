from __future__ import annotations

import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from domains.users import services
from domains.users.management import passwords
from infrastructure import clock
from infrastructure.errors import DomainError


class Command(BaseCommand):
    """In place of Django's, which would write the account around its service."""

    help = "Open a staff account that may do everything."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--email", default=os.environ.get("DJANGO_SUPERUSER_EMAIL"))
        parser.add_argument("--name", default="")
        parser.add_argument(
            "--noinput",
            "--no-input",
            dest="interactive",
            action="store_false",
            help="take the password from DJANGO_SUPERUSER_PASSWORD",
        )
        passwords.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        email = options["email"] or (input("E-mail address: ") if options["interactive"] else "")
        if not email:
            raise CommandError("Give --email or DJANGO_SUPERUSER_EMAIL.")
        if not options["interactive"] and not options["password_file"]:
            options["password_env"] = options["password_env"] or "DJANGO_SUPERUSER_PASSWORD"
        try:
            user = services.create_staff(
                email=email,
                password=passwords.password_from(options, ask=options["interactive"]),
                name=options["name"],
                roles=["admin"],
                is_superuser=True,
                now=clock.now(),
            )
        except DomainError as refusal:
            raise CommandError(refusal.detail) from None
        self.stdout.write(f"Created {user.id}, who may do everything.")
