"""Where the commands for staff accounts get a password from: never from an argument, which every
other user of the machine can read."""

from __future__ import annotations

import getpass
import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError


def add_arguments(parser: ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--password-file", metavar="PATH", help="a file that holds nothing but the password"
    )
    source.add_argument(
        "--password-env", metavar="NAME", help="the environment variable that holds the password"
    )


def password_from(options: dict[str, Any], *, ask: bool) -> str:
    """The password from its file or variable, or typed twice where `ask` allows it."""
    if path := options["password_file"]:
        try:
            return Path(path).read_text().strip()
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror}") from None
    if name := options["password_env"]:
        if not os.environ.get(name):
            raise CommandError(f"The variable {name} is empty.")
        return os.environ[name]
    if not ask:
        raise CommandError("Give --password-file or --password-env.")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Password (again): ") != password:
        raise CommandError("The two passwords differ.")
    return password
