"""Signing in to the Django admin, for staff, by e-mail address and password."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest

from infrastructure import clock
from infrastructure.auth import identities


class StaffBackend(BaseBackend):
    """Asks the context that knows people, so that throttling and refusals are those of the API."""

    def authenticate(  # type: ignore[override]
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **credentials: Any,
    ) -> AbstractBaseUser | None:
        if not username or not password:
            return None
        return identities.people().staff_with_password(
            email=username, password=password, now=clock.now()
        )

    def get_user(self, user_id: Any) -> Any:
        return get_user_model()._default_manager.filter(pk=user_id, is_active=True).first()
