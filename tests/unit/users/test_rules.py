from __future__ import annotations

from pathlib import Path

import pytest

from domains.users import rules


def test_a_customer_may_deal_with_their_own_orders_and_nothing_else():
    scopes = rules.scopes_of(roles=[], is_staff=False, is_superuser=False)
    assert scopes == {
        "orders.place",
        "orders.read_own",
        "orders.cancel_own",
        "orders.return_own",
    }


def test_roles_count_for_staff_only():
    scopes = rules.scopes_of(roles=["admin"], is_staff=False, is_superuser=True)
    assert scopes == rules.CUSTOMER_SCOPES


def test_staff_hold_the_scopes_of_all_their_roles_and_those_of_a_customer():
    scopes = rules.scopes_of(roles=["catalogue", "finance"], is_staff=True, is_superuser=False)
    assert scopes == rules.CUSTOMER_SCOPES | rules.ROLES["catalogue"] | rules.ROLES["finance"]


def test_a_role_that_was_removed_from_the_list_gives_nothing():
    scopes = rules.scopes_of(roles=["wizard"], is_staff=True, is_superuser=False)
    assert scopes == rules.CUSTOMER_SCOPES


def test_a_superuser_and_an_admin_hold_every_scope():
    everything = frozenset(rules.SCOPES)
    assert rules.scopes_of(roles=[], is_staff=True, is_superuser=True) == everything
    assert rules.scopes_of(roles=["admin"], is_staff=True, is_superuser=False) == everything


def test_who_may_send_unpaid_goods_may_send_goods():
    roles = {role for role, scopes in rules.ROLES.items() if "orders.send_unpaid" in scopes}
    assert roles == {"admin"}
    assert "orders.fulfil" in rules.ROLES["admin"]


def test_only_admins_manage_staff_and_decide_whose_prices_hold():
    for scope in ("users.manage_staff", "users.set_group"):
        assert {role for role, scopes in rules.ROLES.items() if scope in scopes} == {"admin"}
    assert rules.scope_to_manage(is_staff=True) == "users.manage_staff"
    assert rules.scope_to_manage(is_staff=False) == "users.write"


def test_roles_name_known_scopes_only():
    assert frozenset().union(*rules.ROLES.values()) <= frozenset(rules.SCOPES)


@pytest.mark.parametrize(
    ("permission", "scopes", "allowed"),
    [
        ("orders.view_order", {"orders.read"}, True),
        ("orders.view_order", {"orders.cancel"}, True),
        ("orders.view_order", {"payments.read"}, False),
        ("orders.view_order", rules.CUSTOMER_SCOPES, False),
        ("orders.change_order", {"orders.read"}, False),
        ("orders.change_order", {"orders.cancel"}, True),
        ("products.view_stockitem", {"inventory.read"}, True),
        ("products.change_product", {"catalogue.write"}, True),
        ("products.change_product", {"catalogue.read", "inventory.read"}, False),
        ("orders.add_order", frozenset(rules.SCOPES), False),
        ("orders.delete_order", frozenset(rules.SCOPES), False),
        ("platform.view_outboxmessage", {"operations.read"}, True),
        ("auth.view_group", frozenset(rules.SCOPES), False),
    ],
)
def test_the_admins_questions_are_answered_from_scopes(permission, scopes, allowed):
    assert rules.may_in_admin(permission, scopes=scopes) is allowed


def test_the_documented_table_of_rights_is_the_one_in_force():
    text = (Path(__file__).parents[3] / "docs" / "security.md").read_text()
    rows = [
        [cell.strip(" `") for cell in line.strip("|").split("|")]
        for line in text[text.index("| scope | customer |") :].split("\n\n")[0].splitlines()
    ]
    columns, documented = rows[0][1:], rows[2:]
    in_force = {"customer": rules.CUSTOMER_SCOPES} | {
        role: rules.scopes_of(roles=[role], is_staff=True, is_superuser=False)
        for role in rules.ROLES
    }
    assert columns == list(in_force)
    assert {row[0]: row[1:] for row in documented} == {
        scope: ["yes" if scope in in_force[column] else "" for column in columns]
        for scope in rules.SCOPES
    }
