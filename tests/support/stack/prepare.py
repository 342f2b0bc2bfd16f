"""What `devstack.prepare` does before the roles start, without the demo catalogue."""

from __future__ import annotations

import django
from django.core.management import call_command


def main() -> None:
    django.setup()
    call_command("migrate", "--no-input")
    call_command("create_topics")
    call_command(
        "ensure_staff", "--email", "staff@kontor.example", "--password-env", "STAFF_PASSWORD"
    )


if __name__ == "__main__":
    main()
