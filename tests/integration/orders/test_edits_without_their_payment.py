"""Staff let go of what an order stands on while an edit of it waits for its customer's bank."""

from __future__ import annotations

import pytest

from domains.orders.models import Order
from domains.payments import services as payment_services
from domains.payments.gateways.port import Authorise
from domains.payments.public import PaymentStatus, payment_states
from domains.payments.rules.gateways import Reply
from infrastructure import clock
from infrastructure.money import Money
from tests.integration.payments.conftest import ScriptedGateway, gateway  # noqa: F401
from tests.support.after_placement import assert_books_agree, assert_order_agrees, reread
from tests.support.factories import orders
from tests.support.factories import products as goods
from tests.support.messaging import deliver_outbox
from tests.support.order_steps import edit, more
from tests.support.paying import ASKED
from tests.support.placed_orders import stock_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def waiting(gateway: ScriptedGateway) -> Order:  # noqa: F811
    """An order of one A, whose edit to two waits for its customer."""
    now = clock.now()
    goods.stocked({"A": 5}, now=now)
    order = orders.placed({"A": 1}, now=now)
    deliver_outbox()
    gateway.action_url = ASKED
    edit(order, now, lines=[more(order, "A", 2)], token="tok_visa", return_url="https://a.example")
    gateway.action_url = ""
    return order


def state(order: Order) -> tuple[str, str, str]:
    """Of the order, with why, and of its only step."""
    found = reread(order)
    (step,) = (step for step in found.steps if step.kind == "EDIT")
    return found.status, found.reason, f"{step.state} {step.refusal}".strip()


def test_the_order_is_cancelled_and_its_edit_comes_to_nothing(waiting: Order) -> None:
    payment_services.void(payment_id=waiting.id, now=clock.now())
    deliver_outbox()

    assert state(waiting) == ("CANCELLED", "payment_voided", "REFUSED payment_not_completed")
    (edit_of,) = reread(waiting).steps
    assert payment_states([edit_of.id])[edit_of.id].status is PaymentStatus.VOIDED
    assert stock_of("A") == (5, 0)
    assert_order_agrees(waiting.id)
    assert_books_agree(clock.now())


def test_the_order_stands_on_what_its_customer_has_confirmed_meanwhile(
    waiting: Order,
    gateway: ScriptedGateway,  # noqa: F811
) -> None:
    asked = [request for request in gateway.sent if isinstance(request, Authorise)]
    gateway.decide(asked[-1].key, Reply(gateway_reference="confirmed"))
    payment_services.void(payment_id=waiting.id, now=clock.now())
    deliver_outbox()

    assert state(waiting) == ("CONFIRMED", "", "DONE")
    order = reread(waiting)
    assert (order.total_minor, order.payment_id) == (2000, order.steps[0].id)
    assert payment_states([order.payment_id])[order.payment_id].status is PaymentStatus.AUTHORISED
    assert stock_of("A") == (5, 2)
    assert_order_agrees(order.id)
    assert_books_agree(clock.now())


def test_what_was_not_sent_is_called_off_where_the_rest_is_let_go(waiting: Order) -> None:
    """A part was taken at the door of payments after the edit had begun."""
    now = clock.now()
    payment_services.capture(payment_id=waiting.id, amount=Money(400, "GBP"), now=now)
    payment_services.void(payment_id=waiting.id, now=now)
    deliver_outbox()

    status, _, step = state(waiting)
    assert (status, step) == ("CANCELLED", "REFUSED payment_not_completed")
    of_order = payment_states([waiting.id])[waiting.id]
    assert (of_order.captured_minor, of_order.refunded_minor, of_order.rest_minor) == (400, 400, 0)
    assert stock_of("A") == (5, 0)
    assert_order_agrees(waiting.id)
    assert_books_agree(clock.now())
