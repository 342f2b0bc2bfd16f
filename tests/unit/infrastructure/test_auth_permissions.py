from __future__ import annotations

import pytest

from infrastructure.auth.actor import Actor
from infrastructure.auth.errors import MissingScope, NotAuthenticated
from infrastructure.auth.permissions import AUTHENTICATED, PUBLIC, OrGuest, authorise
from infrastructure.ids import new_id

READER = Actor(id=new_id(), scopes=frozenset({"orders.read"}))


@pytest.mark.parametrize(
    ("actor", "requirement"),
    [
        (None, PUBLIC),
        (READER, PUBLIC),
        (READER, AUTHENTICATED),
        (READER, "orders.read"),
        (READER, OrGuest("orders.read")),
        (None, OrGuest("orders.read")),
    ],
)
def test_who_has_what_is_demanded_passes(actor, requirement):
    assert authorise(actor, requirement) is None


@pytest.mark.parametrize("requirement", [AUTHENTICATED, "orders.read"])
def test_a_stranger_is_asked_to_sign_in(requirement):
    with pytest.raises(NotAuthenticated) as refusal:
        authorise(None, requirement)
    assert refusal.value.status == 401
    assert refusal.value.headers["WWW-Authenticate"].startswith("Bearer")


def test_who_lacks_the_scope_is_told_which():
    with pytest.raises(MissingScope) as refusal:
        authorise(READER, "orders.cancel")
    assert refusal.value.status == 403
    assert 'scope="orders.cancel"' in refusal.value.headers["WWW-Authenticate"]


def test_a_route_that_is_open_to_guests_is_closed_to_who_is_signed_in_and_lacks_the_scope():
    with pytest.raises(MissingScope):
        authorise(READER, OrGuest("orders.place"))


def test_a_scope_is_not_held_because_a_shorter_one_is():
    with pytest.raises(MissingScope):
        authorise(READER, "orders.read_all")
