"""What the commands for staff accounts have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from domains.users import rules
from domains.users.management import passwords
from infrastructure.errors import DomainError


class StaffCommand(ABC, BaseCommand):
    """Takes a person's address, name, roles and password; a refusal is a line, not a traceback."""

    roles_help: str
    asks_for_password: bool

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--email", required=True)
        parser.add_argument("--name", default="")
        parser.add_argument(
            "--role",
            dest="roles",
            action="append",
            choices=sorted(rules.ROLES),
            default=[],
            help=self.roles_help,
        )
        passwords.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            said = self.carry_out(
                email=options["email"],
                password=passwords.password_from(options, ask=self.asks_for_password),
                name=options["name"],
                roles=options["roles"],
            )
        except DomainError as refusal:
            raise CommandError(refusal.detail) from None
        self.stdout.write(said)

    @abstractmethod
    def carry_out(self, *, email: str, password: str, name: str, roles: list[str]) -> str:
        """Returns the line that tells the operator what was done."""
