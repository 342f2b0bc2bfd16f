from __future__ import annotations

from domains.users import services
from domains.users.management.staff import StaffCommand
from infrastructure import clock


class Command(StaffCommand):
    help = "Open an account for a member of staff."
    roles_help = "may be given several times"
    asks_for_password = True

    def carry_out(self, *, email: str, password: str, name: str, roles: list[str]) -> str:
        user = services.create_staff(
            email=email, password=password, name=name, roles=roles, now=clock.now()
        )
        return f"Created {user.id} with roles: {', '.join(user.roles) or 'none'}."
