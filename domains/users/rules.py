"""Who may do what: the closed lists of scopes and roles, and the questions about them.

A scope names one capability and is what views, admin actions and commands ask for. A role is a
named set of scopes that staff hold; a customer holds the fixed set CUSTOMER_SCOPES. Both lists are
code, so a change of rights is reviewed and tested like any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

SCOPES: Mapping[str, str] = MappingProxyType(
    {
        "orders.place": "Place orders for oneself.",
        "orders.read_own": "Read one's own orders.",
        "orders.cancel_own": "Cancel one's own orders.",
        "orders.read": "Read every order.",
        "orders.cancel": "Cancel any order.",
        "orders.return_own": "Announce that goods of one's own orders come back.",
        "orders.edit": "Change orders before they are sent.",
        "orders.fulfil": "Send orders.",
        "orders.send_unpaid": "Send goods whose money was not taken.",
        "orders.return": "Decide on returns, and take them in.",
        "orders.approve_refunds": "Agree, as a second person, to what gives much money back.",
        "orders.note": "Write notes on orders for other members of staff.",
        "orders.place_for": "Take orders for customers, as by telephone.",
        "payments.read": "Read every payment.",
        "payments.capture": "Take authorised money.",
        "payments.void": "Give up an authorisation.",
        "payments.refund": "Give captured money back.",
        "payments.record": "Record money that came by bank.",
        "payments.reconcile": "Settle differences to the books of gateways.",
        "catalogue.read": "Read products that are not for sale (yet).",
        "catalogue.write": "Create and change products, categories and prices.",
        "pricing.read": "Read promotions, coupons, taxes and shipping methods.",
        "pricing.write": "Create and change promotions, coupons, taxes and shipping methods.",
        "inventory.read": "Read stock levels, holds and movements.",
        "inventory.write": "Adjust and count stock.",
        "users.read": "Read customers and staff.",
        "users.write": "Deactivate and reactivate customers, and end their sessions.",
        "users.manage_staff": "Deactivate and reactivate staff, and end their sessions.",
        "users.set_group": "Put customers into groups, which decides what they pay.",
        "operations.read": "See the outbox, dead letters and other machinery.",
        "operations.write": "Redrive and replay messages.",
        "reports.read": "Read sales figures and reports.",
    }
)

CUSTOMER_SCOPES = frozenset(
    {"orders.place", "orders.read_own", "orders.cancel_own", "orders.return_own"}
)
STAFF_SCOPES = frozenset(SCOPES) - CUSTOMER_SCOPES

ROLES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "admin": STAFF_SCOPES,
        "support": frozenset(
            {"orders.read", "orders.cancel", "payments.read", "catalogue.read", "inventory.read"}
            | {"orders.place_for", "orders.edit", "orders.return", "orders.note"}
            | {"pricing.read", "users.read", "users.write"}
        ),
        "fulfilment": frozenset(
            {"orders.read", "orders.fulfil", "orders.return", "orders.note"}
            | {"catalogue.read", "inventory.read", "inventory.write"}
        ),
        "catalogue": frozenset(
            {"catalogue.read", "catalogue.write", "inventory.read", "inventory.write"}
            | {"pricing.read", "pricing.write"}
        ),
        "finance": frozenset(
            {"orders.read", "payments.read", "payments.capture", "payments.void"}
            | {
                "orders.approve_refunds",
                "orders.note",
                "payments.refund",
                "payments.record",
                "payments.reconcile",
            }
            | {"pricing.read", "reports.read"}
        ),
    }
)

# The admin asks by Django app; these are the first words of the scopes that belong to each.
AREAS_OF_APP: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "orders": frozenset({"orders"}),
        "payments": frozenset({"payments"}),
        "products": frozenset({"catalogue", "inventory"}),
        "pricing": frozenset({"pricing"}),
        "users": frozenset({"users"}),
        "reporting": frozenset({"reports"}),
        "platform": frozenset({"operations"}),
    }
)

EMAIL_MAX_LENGTH = 254
NAME_MAX_LENGTH = 200
PASSWORD_MIN_LENGTH = 8
PASSWORD_MAX_LENGTH = 128

_GROUP_CODE = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}", re.ASCII)


def is_group_code(text: str) -> bool:
    return _GROUP_CODE.fullmatch(text) is not None


def scopes_of(*, roles: Iterable[str], is_staff: bool, is_superuser: bool) -> frozenset[str]:
    """What a person may do. Roles count for staff only; unknown ones give nothing."""
    if not is_staff:
        return CUSTOMER_SCOPES
    if is_superuser:
        return frozenset(SCOPES)
    return CUSTOMER_SCOPES.union(*(ROLES.get(role, frozenset()) for role in roles))


def scope_to_manage(*, is_staff: bool) -> str:
    """What one needs to close or open somebody's account, and to end their sessions."""
    return "users.manage_staff" if is_staff else "users.write"


def may_in_admin(permission: str, *, scopes: Iterable[str]) -> bool:
    """Django's question `<app>.<action>_<model>`, answered from scopes.

    Viewing needs any scope of the app's areas, changing a scope there that is not for reading.
    Nobody adds or deletes by a form: that is what services are for.
    """
    app_label, _, codename = permission.partition(".")
    areas = AREAS_OF_APP.get(app_label, frozenset())
    held = {scope for scope in scopes if scope.partition(".")[0] in areas} - CUSTOMER_SCOPES
    action = codename.partition("_")[0]
    if action == "view":
        return bool(held)
    return action == "change" and any(not scope.endswith(".read") for scope in held)
