"""Brings the databases, the topics and the demo data up to date before the roles start.

One process for all of it: each start of Django costs more than what there usually is to do.
STAFF_EMAIL names the first member of staff; the password is in STAFF_PASSWORD, or in the file that
STAFF_PASSWORD_FILE names.
"""

from __future__ import annotations

import os
import sys

import django
from django.core.management import call_command
from django.core.management.base import CommandError


def main() -> int:
    django.setup()
    file = os.environ.get("STAFF_PASSWORD_FILE")
    password = ["--password-file", file] if file else ["--password-env", "STAFF_PASSWORD"]
    commands = (
        ["migrate", "--no-input"],
        ["create_topics"],
        ["ensure_staff", "--email", os.environ["STAFF_EMAIL"], *password],
        ["load_demo"],
    )
    for name, *arguments in commands:
        try:
            call_command(name, *arguments)
        except CommandError as error:
            print(f"{name}: {error}", flush=True)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
