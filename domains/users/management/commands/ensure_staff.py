from __future__ import annotations

from domains.users import services
from domains.users.management.staff import StaffCommand
from infrastructure import clock


class Command(StaffCommand):
    help = "Make sure that a member of staff with this address, password and roles can sign in."
    roles_help = "may be given several times; admin where none is given"
    asks_for_password = False

    def carry_out(self, *, email: str, password: str, name: str, roles: list[str]) -> str:
        changed = services.ensure_staff(
            email=email, password=password, name=name, roles=roles or ["admin"], now=clock.now()
        )
        return "Staff account written." if changed else "Staff account in place."
