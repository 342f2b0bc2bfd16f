from __future__ import annotations

from infrastructure.apps import ContextConfig


class UsersConfig(ContextConfig):
    name = "domains.users"
    label = "users"
    verbose_name = "Users"
