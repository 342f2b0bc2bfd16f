"""User, the aggregate of this context, and its sessions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.crypto import salted_hmac

from domains.users import rules
from domains.users.errors import AlreadyActive, AlreadyInactive, InvalidCustomerGroup, UnknownRole
from domains.users.events import UserCreated, UserUpdated
from infrastructure import clock
from infrastructure.aggregates import AggregateQuerySet, AggregateRoot
from infrastructure.database.contexts import alias_of
from infrastructure.ids import new_id
from infrastructure.pii.fields import BlindIndexField, PersonalEmailField, PersonalTextField

IDLE_LIFETIME = timedelta(days=14)
ABSOLUTE_LIFETIME = timedelta(days=60)
EMAIL_CONSTRAINT = "users_user_email_unique"


class UserQuerySet(AggregateQuerySet):
    def with_email(self, email: str) -> UserQuerySet:
        return self.filter(email_index=email)

    def get_by_natural_key(self, email: str) -> User:
        """What Django calls to find somebody by what they sign in with."""
        return self.get(email_index=email)


class User(AggregateRoot, AbstractBaseUser):
    """A person who can sign in: a customer or a member of staff.

    customer_group: a code; price lists of that group hold for whoever belongs to it.
    auth_generation is written into every access token and is part of every admin session; raising
    it makes all of them worthless at once.
    """

    # Signing in writes a session row, not the person: no lock on a shared row, no version.
    last_login = None

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    email = PersonalEmailField(max_length=rules.EMAIL_MAX_LENGTH)
    email_index = BlindIndexField(of="email", kind="email")
    name = PersonalTextField(max_length=rules.NAME_MAX_LENGTH, blank=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    is_superuser = models.BooleanField(default=False)
    roles = ArrayField(models.TextField(), default=list, blank=True)
    customer_group = models.CharField(max_length=40, blank=True)
    auth_generation = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()

    objects = UserQuerySet.as_manager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = "user"
        constraints = [models.UniqueConstraint(fields=["email_index"], name=EMAIL_CONSTRAINT)]

    def __str__(self) -> str:
        return self.name or str(self.id)

    # Factories

    @classmethod
    def register(cls, *, email: str, name: str, password_hash: str, now: datetime) -> User:
        """A customer who signs up."""
        return cls._new(email=email, name=name, password_hash=password_hash, now=now)

    @classmethod
    def hire(
        cls,
        *,
        email: str,
        name: str,
        password_hash: str,
        roles: Iterable[str],
        is_superuser: bool,
        now: datetime,
    ) -> User:
        """A member of staff. Raises UnknownRole."""
        return cls._new(
            email=email,
            name=name,
            password_hash=password_hash,
            now=now,
            is_staff=True,
            is_superuser=is_superuser,
            roles=_known_roles(roles),
        )

    @classmethod
    def _new(cls, *, email: str, password_hash: str, now: datetime, **fields: Any) -> User:
        user = cls(email=email.strip(), password=password_hash, created_at=now, **fields)
        user.record(UserCreated(user_id=user.id, is_staff=user.is_staff, occurred_at=now))
        return user

    # Commands

    def rename(self, name: str, *, now: datetime) -> bool:
        """Returns whether that is a change."""
        if name == self.name:
            return False
        self.name = name
        self._updated("name", now=now)
        return True

    def change_password(self, password_hash: str, *, now: datetime) -> None:
        """Ends every session and access token that the old password opened."""
        self.password = password_hash
        self.auth_generation += 1
        self._updated("password", now=now)

    def strengthen_password_hash(self, password_hash: str) -> None:
        """The same password under the hasher's present parameters: nothing anybody else can see."""
        self.password = password_hash

    def deactivate(self, *, now: datetime) -> None:
        """No more signing in, and whoever is signed in is out. Raises AlreadyInactive."""
        if not self.is_active:
            raise AlreadyInactive
        self.is_active = False
        self.auth_generation += 1
        self._updated("is_active", now=now)

    def reactivate(self, *, now: datetime) -> None:
        """Raises AlreadyActive."""
        if self.is_active:
            raise AlreadyActive
        self.is_active = True
        self._updated("is_active", now=now)

    def assign_roles(self, roles: Iterable[str], *, is_superuser: bool, now: datetime) -> bool:
        """Make this a member of staff with exactly these rights. Returns whether that is a change.
        Raises UnknownRole."""
        before = self.is_staff, self.is_superuser, self.roles
        self.is_staff, self.is_superuser, self.roles = True, is_superuser, _known_roles(roles)
        if before == (self.is_staff, self.is_superuser, self.roles):
            return False
        self._updated("roles", now=now)
        return True

    def join_group(self, customer_group: str, *, now: datetime) -> bool:
        """Belong to this group of customers from now on, whose prices hold then; empty: to none.
        Returns whether that is a change. Raises InvalidCustomerGroup."""
        if customer_group and not rules.is_group_code(customer_group):
            raise InvalidCustomerGroup(f"{customer_group!r} is no code of a group.")
        if customer_group == self.customer_group:
            return False
        self.customer_group = customer_group
        self._updated("customer_group", now=now)
        return True

    def end_sessions(self) -> None:
        self.auth_generation += 1

    def _updated(self, *changed: str, now: datetime) -> None:
        self.record(UserUpdated(user_id=self.id, changed=changed, occurred_at=now))

    # Questions

    @property
    def scopes(self) -> frozenset[str]:
        return rules.scopes_of(
            roles=self.roles, is_staff=self.is_staff, is_superuser=self.is_superuser
        )

    def has_scope(self, scope: str) -> bool:
        return self.is_active and scope in self.scopes

    # What Django's admin asks

    def has_perm(self, perm: str, obj: models.Model | None = None) -> bool:
        return self.is_active and self.is_staff and rules.may_in_admin(perm, scopes=self.scopes)

    def has_perms(self, perm_list: Iterable[str], obj: models.Model | None = None) -> bool:
        return all(self.has_perm(perm, obj) for perm in perm_list)

    def has_module_perms(self, app_label: str) -> bool:
        return self.has_perm(f"{app_label}.view_")

    def check_password(self, raw_password: str | None) -> bool:
        """Without Django's silent upgrade of the hash, which would save around the version."""
        return check_password(raw_password, self.password)

    def set_password(self, raw_password: str | None) -> None:
        """Called by the admin's form for one's own password, which gives no clock."""
        self.change_password(make_password(raw_password), now=clock.now())

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        return salted_hmac(
            "domains.users.models.User.session",
            f"{self.password}:{self.auth_generation}",
            secret=secret,
            algorithm="sha256",
        ).hexdigest()


def _known_roles(roles: Iterable[str]) -> list[str]:
    wanted = sorted(set(roles))
    if unknown := [role for role in wanted if role not in rules.ROLES]:
        raise UnknownRole(f"There is no role {', '.join(unknown)}.")
    return wanted


class EndReason(models.TextChoices):
    SIGNED_OUT = "SIGNED_OUT", "signed out"
    TOKEN_REUSED = "TOKEN_REUSED", "a used refresh token came back"
    ENDED_BY_STAFF = "ENDED_BY_STAFF", "ended by staff"
    PASSWORD_CHANGED = "PASSWORD_CHANGED", "password changed"
    DEACTIVATED = "DEACTIVATED", "account deactivated"


class SessionQuerySet(models.QuerySet):
    def open(self, *, user_id: UUID, generation: int, token: str, now: datetime) -> Session | None:
        """Start a session with its first refresh token, in one statement.

        generation: the user's when it was found out who this is. None where it is another one by
        now, or the account inactive. What raises it locks the row of the user, as this does, and
        ends sessions only afterwards: so it either refuses a session here or ends it there.
        """
        rows = self._run(
            """
            WITH holder AS (
                SELECT id, auth_generation FROM users_user
                WHERE id = %(user)s AND is_active AND auth_generation = %(generation)s
                FOR SHARE
            ), session AS (
                INSERT INTO users_session
                    (id, user_id, auth_generation, created_at, expires_at, end_reason)
                SELECT %(session)s, holder.id, holder.auth_generation, %(now)s, %(expires)s, ''
                FROM holder
                RETURNING *
            ), token AS (
                INSERT INTO users_refreshtoken (id, session_id, token_hash, created_at, expires_at)
                SELECT %(token)s, session.id, %(hash)s, %(now)s, %(idle)s FROM session
            )
            SELECT * FROM session
            """,
            {
                "session": new_id(),
                "user": user_id,
                "generation": generation,
                "now": now,
                "expires": now + ABSOLUTE_LIFETIME,
                "token": new_id(),
                "hash": hash_of(token),
                "idle": now + IDLE_LIFETIME,
            },
        )
        return rows[0] if rows else None

    def rotate(self, *, token: str, successor: str, now: datetime) -> Session | None:
        """Spend a refresh token and issue its successor, in one statement.

        Of many callers with the same token exactly one gets the session; the others, and everybody
        with a token that is unknown, used or too old, or whose user is inactive or of another
        generation than the session, get None.
        """
        # A session may have been ended after this statement began. What ends it together with
        # raising the generation is waited for and seen at the user's row, which is locked.
        rows = self._run(
            """
            WITH live AS (
                SELECT session.*, token.id AS token_id
                FROM users_refreshtoken AS token
                JOIN users_session AS session ON session.id = token.session_id
                JOIN users_user AS holder ON holder.id = session.user_id
                WHERE token.token_hash = %(hash)s AND token.used_at IS NULL
                  AND token.expires_at > %(now)s
                  AND session.ended_at IS NULL AND session.expires_at > %(now)s
                  AND holder.is_active AND holder.auth_generation = session.auth_generation
                FOR SHARE OF holder
            ), spent AS (
                UPDATE users_refreshtoken AS token SET used_at = %(now)s
                FROM live
                WHERE token.id = live.token_id AND token.used_at IS NULL
                RETURNING live.*
            ), issued AS (
                INSERT INTO users_refreshtoken (id, session_id, token_hash, created_at, expires_at)
                SELECT %(id)s, spent.id, %(successor)s, %(now)s,
                       least(%(idle)s, spent.expires_at)
                FROM spent
            )
            SELECT * FROM spent
            """,
            {
                "id": new_id(),
                "hash": hash_of(token),
                "successor": hash_of(successor),
                "now": now,
                "idle": now + IDLE_LIFETIME,
            },
        )
        return rows[0] if rows else None

    def end_where_reused(self, *, token: str, now: datetime) -> Session | None:
        """End the session whose refresh token was used before: one of its two holders stole it."""
        rows = self._run(
            """
            UPDATE users_session AS session SET ended_at = %(now)s, end_reason = %(reason)s
            FROM users_refreshtoken AS token
            WHERE token.token_hash = %(hash)s AND token.used_at IS NOT NULL
              AND session.id = token.session_id AND session.ended_at IS NULL
            RETURNING session.*
            """,
            {"now": now, "hash": hash_of(token), "reason": EndReason.TOKEN_REUSED.value},
        )
        return rows[0] if rows else None

    def end(self, *, reason: EndReason, now: datetime) -> int:
        """End the sessions of this queryset that have not ended. Returns their number."""
        return self.filter(ended_at=None).update(ended_at=now, end_reason=reason)

    def of_token(self, token: str) -> SessionQuerySet:
        return self.filter(token_rows__token_hash=hash_of(token))

    def forget(self, *, expired_before: datetime, at_most: int) -> int:
        """Delete sessions with their tokens. Returns how many sessions."""
        over = self.filter(expires_at__lt=expired_before).order_by("expires_at")
        ids = list(over.values_list("pk", flat=True)[:at_most])
        RefreshToken.objects.filter(session_id__in=ids).delete()
        return self.filter(pk__in=ids).delete()[0]

    def _run(self, sql: str, params: dict[str, Any]) -> list[Session]:
        rows: Any = self.using(alias_of("users")).raw(sql, params)
        return list(rows)


class Session(models.Model):
    """One sign-in and everything refreshed from it: the family of its refresh tokens.

    It ends 60 days after the sign-in, after 14 days without a refresh, or when somebody ends it.

    auth_generation: the user's at the sign-in; of another one it is worth nothing.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="session_rows")
    auth_generation = models.PositiveIntegerField()
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    end_reason = models.TextField(choices=EndReason, blank=True)

    objects = SessionQuerySet.as_manager()

    class Meta:
        verbose_name = "session"
        indexes = [models.Index(fields=["expires_at"], name="users_session_expires")]

    def __str__(self) -> str:
        return str(self.id)


class RefreshToken(models.Model):
    """One refresh token. Only its SHA-256 is known; it has 256 random bits, so it needs no salt."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="token_rows")
    token_hash = models.BinaryField(unique=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "refresh token"

    def __str__(self) -> str:
        return str(self.id)


def hash_of(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
