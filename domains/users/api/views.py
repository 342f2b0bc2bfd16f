"""Registration, sessions, one's own account, and what staff may look up."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse

from domains.users import queries, services
from domains.users.api import serializers
from domains.users.errors import (
    EmailTaken,
    InvalidCredentials,
    InvalidRefreshToken,
    UserNotFound,
    WeakPassword,
)
from infrastructure import clock
from infrastructure.auth.errors import HashingBusy, NotAuthenticated
from infrastructure.auth.permissions import AUTHENTICATED, PUBLIC
from infrastructure.database.contexts import alias_of
from infrastructure.http import idempotency
from infrastructure.http.pagination import page
from infrastructure.http.types import PageOf
from infrastructure.http.views import APIView, operation
from infrastructure.pii.index import blind_index, normalise_email

NOT_STORED = {"Cache-Control": "no-store"}


class Register(APIView):
    scopes = {"POST": PUBLIC}
    rate = {"POST": "register"}
    ignores_credentials = True

    @operation(
        summary="Open an account",
        body=serializers.Register,
        responses={201: serializers.Me},
        errors=[EmailTaken, WeakPassword, HashingBusy],
        idempotency="accepted",
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        body = self.body(serializers.Register)
        # The fingerprint leaves the password out: a fast hash of it must not be kept anywhere.
        index = blind_index(normalise_email(body.email), kind="email")
        key = self.idempotency(request, index.hex())
        user, headers = idempotency.once(
            alias_of("users"),
            key,
            lambda: services.register(
                email=body.email,
                password=body.password,
                name=body.name,
                now=clock.now(),
                key=key,
            ),
            again=lambda user_id: queries.users().get(pk=user_id),
        )
        return self.answer(serializers.Me.of(user), status=201, headers={**NOT_STORED, **headers})


class Token(APIView):
    scopes = {"POST": PUBLIC}
    rate = {"POST": "login"}
    ignores_credentials = True

    @operation(
        summary="Sign in",
        description="Five tries a minute for one account, whoever tries.",
        body=serializers.SignIn,
        responses={200: serializers.Tokens},
        errors=[InvalidCredentials, HashingBusy],
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        body = self.body(serializers.SignIn)
        signed_in = services.sign_in(email=body.email, password=body.password, now=clock.now())
        return self.answer(serializers.Tokens.of(signed_in), headers=NOT_STORED)


class RefreshToken(APIView):
    scopes = {"POST": PUBLIC}
    rate = {"POST": "refresh"}
    ignores_credentials = True

    @operation(
        summary="Trade a refresh token for a new pair of tokens",
        description="A refresh token works once. One that comes back ends its session.",
        body=serializers.Refresh,
        responses={200: serializers.Tokens},
        errors=[InvalidRefreshToken],
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        body = self.body(serializers.Refresh)
        signed_in = services.refresh(refresh_token=body.refresh_token, now=clock.now())
        return self.answer(serializers.Tokens.of(signed_in), headers=NOT_STORED)


class Logout(APIView):
    scopes = {"POST": PUBLIC}
    rate = {"POST": "refresh"}
    ignores_credentials = True

    @operation(
        summary="Sign out",
        description="Ends the session. Its last access token expires by itself within 10 minutes.",
        body=serializers.SignOut,
        responses={204: None},
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        body = self.body(serializers.SignOut)
        services.sign_out(refresh_token=body.refresh_token, now=clock.now())
        return self.answer(status=204, headers=NOT_STORED)


class Me(APIView):
    scopes = {"GET": AUTHENTICATED, "PATCH": AUTHENTICATED}

    @operation(summary="Read one's own account", responses={200: serializers.Me}, etag=True)
    def get(self, request: HttpRequest) -> HttpResponse:
        user = queries.user_of(self.actor.id)
        if user is None:
            raise NotAuthenticated
        return self.answer(serializers.Me.of(user), etag=user.version, headers=NOT_STORED)

    @operation(
        summary="Change one's own account",
        body=serializers.ChangeMe,
        responses={200: serializers.Me},
        if_match="accepted",
        etag=True,
    )
    def patch(self, request: HttpRequest) -> HttpResponse:
        body = self.body(serializers.ChangeMe)
        user = services.rename(
            user_id=self.actor.id,
            name=body.name,
            version=self.if_match(request),
            now=clock.now(),
        )
        return self.answer(serializers.Me.of(user), etag=user.version, headers=NOT_STORED)


class Users(APIView):
    scopes = {"GET": "users.read"}

    @operation(
        summary="List accounts, the newest first",
        query=serializers.UserFilters,
        responses={200: PageOf[serializers.User]},
    )
    def get(self, request: HttpRequest) -> HttpResponse:
        filters = self.query(serializers.UserFilters)
        found = page(
            queries.users(is_staff=filters.is_staff),
            filters.cursor,
            filters.limit,
            order=("-id",),
            filters=filters,
        )
        return self.answer_page(found, serializers.User.of, headers=NOT_STORED)


class User(APIView):
    scopes = {"GET": "users.read"}

    @operation(
        summary="Read an account",
        responses={200: serializers.User},
        errors=[UserNotFound],
        etag=True,
    )
    def get(self, request: HttpRequest, user_id: UUID) -> HttpResponse:
        user = queries.user_of(user_id)
        if user is None:
            raise UserNotFound
        return self.answer(serializers.User.of(user), etag=user.version, headers=NOT_STORED)
