from __future__ import annotations

import pytest
from django.urls import reverse

from domains.users import services
from domains.users.models import User
from tests.support.factories import users

pytestmark = pytest.mark.django_db

LIST = "admin:users_user_changelist"


def sign_in(client, email, password=users.PASSWORD):
    return client.post(
        reverse("admin:login"),
        {"username": email, "password": password, "next": reverse("admin:index")},
    )


def run(client, action, *selected):
    body = {"action": action, "_selected_action": [str(user.id) for user in selected]}
    answer = client.post(reverse(LIST), body, follow=True)
    return [(message.level_tag, message.message) for message in answer.context["messages"]]


def test_staff_sign_in_with_address_and_password(client):
    clerk = users.staff("support")
    answer = sign_in(client, clerk.email.upper())
    assert (answer.status_code, answer.url) == (302, reverse("admin:index"))
    assert client.get(reverse("admin:index")).status_code == 200


@pytest.mark.parametrize("who", ["customer", "unknown", "wrong password", "inactive"])
def test_nobody_else_gets_in(client, who, now):
    clerk = users.staff("support")
    email, password = clerk.email, users.PASSWORD
    if who == "customer":
        email = users.customer().email
    elif who == "unknown":
        email = "nobody@example.com"
    elif who == "inactive":
        services.deactivate(user_id=clerk.id, scopes=users.EVERY_SCOPE, now=now)
    else:
        password = "wrong"
    answer = sign_in(client, email, password)
    assert answer.status_code == 200
    assert "_auth_user_id" not in client.session
    assert "Please enter the correct" in answer.content.decode()


def test_tries_are_limited_and_the_form_says_so(client, settings):
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "login_account": "2/min"}
    clerk = users.staff("support")
    for _ in range(2):
        sign_in(client, clerk.email, "wrong")
    answer = sign_in(client, clerk.email)
    assert answer.status_code == 200
    assert "Too many requests" in answer.content.decode()


def test_an_admin_session_ends_with_the_generation(client, now):
    clerk = users.staff("support")
    sign_in(client, clerk.email)
    services.end_sessions(user_id=clerk.id, scopes=users.EVERY_SCOPE, now=now)
    assert client.get(reverse("admin:index")).status_code == 302


@pytest.mark.parametrize("page", ["users_user", "users_session"])
def test_lists_and_details_render_and_offer_no_form(page, now):
    user = users.customer(name="Ann Smith")
    signed_in = services.sign_in(email=user.email, password=users.PASSWORD, now=now)
    client = users.admin_client_of(users.staff("support"))
    listed = client.get(reverse(f"admin:{page}_changelist"))
    assert listed.status_code == 200
    assert "Ann Smith" in listed.content.decode()
    pk = user.id if page == "users_user" else signed_in.session_id
    detail = client.get(reverse(f"admin:{page}_change", args=[pk]))
    assert detail.status_code == 200
    assert 'name="_save"' not in detail.content.decode()
    assert user.password not in detail.content.decode()
    assert client.get(reverse(f"admin:{page}_add")).status_code == 403
    assert client.get(reverse(f"admin:{page}_delete", args=[pk])).status_code == 403


def test_a_list_page_costs_few_statements(django_assert_max_num_queries):
    for _ in range(5):
        users.customer()
    client = users.admin_client_of(users.staff("support"))
    with django_assert_max_num_queries(6):
        client.get(reverse(LIST))


def test_users_are_found_by_the_whole_address_in_any_spelling():
    user, other = users.customer(), users.customer()
    client = users.admin_client_of(users.staff("support"))

    def found(term):
        return list(client.get(reverse(LIST), {"q": term}).context["cl"].result_list)

    assert found(user.email.upper()) == [user]
    assert found(str(other.id)) == [other]
    assert found(user.email[:-3]) == []
    assert found("Ann") == []


def test_actions_call_the_services_and_show_their_refusals(now):
    user, inactive = users.customer(name="Ann"), users.customer(name="Ben")
    services.deactivate(user_id=inactive.id, scopes=users.EVERY_SCOPE, now=now)
    client = users.admin_client_of(users.staff("support"))
    assert run(client, "deactivate", user, inactive) == [
        ("error", "Ben: The account is inactive already"),
        ("success", "Ann: deactivated."),
    ]
    assert User.objects.get(pk=user.id).is_active is False
    assert run(client, "reactivate", user) == [("success", "Ann: reactivated.")]
    assert run(client, "end_sessions", user) == [("success", "Ann: signed out everywhere.")]
    assert User.objects.get(pk=user.id).auth_generation == 3


@pytest.mark.parametrize("role", ["catalogue", "finance", "fulfilment"])
def test_roles_without_the_scope_see_no_users(role):
    client = users.admin_client_of(users.staff(role))
    assert client.get(reverse(LIST)).status_code == 403
    assert "Users" not in client.get(reverse("admin:index")).content.decode()


def test_staff_change_their_own_password_and_stay_signed_in(client):
    clerk = users.staff("support")
    sign_in(client, clerk.email)
    answer = client.post(
        reverse("admin:password_change"),
        {
            "old_password": users.PASSWORD,
            "new_password1": "another lantern",
            "new_password2": "another lantern",
        },
    )
    assert (answer.status_code, answer.url) == (302, reverse("admin:password_change_done"))
    assert client.get(reverse("admin:index")).status_code == 200
    assert User.objects.get(pk=clerk.id).auth_generation == 2
    client.logout()
    assert sign_in(client, clerk.email, "another lantern").status_code == 302
