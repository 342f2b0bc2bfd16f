from __future__ import annotations

from django.urls import path

from domains.users.api import views

urlpatterns = [
    path("auth/register", views.Register.as_view(), name="register"),
    path("auth/token", views.Token.as_view(), name="token"),
    path("auth/token/refresh", views.RefreshToken.as_view(), name="refresh-token"),
    path("auth/logout", views.Logout.as_view(), name="logout"),
    path("users/me", views.Me.as_view(), name="me"),
    path("users", views.Users.as_view(), name="users"),
    path("users/<uuid:user_id>", views.User.as_view(), name="user"),
]
