"""Cards that customers leave with the gateway: by its token, theirs only, and gone at a word."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from domains.payments import public, services
from domains.payments.errors import CardNumberRefused, SavedMethodNotFound
from domains.payments.models import Payment, SavedMethod
from domains.payments.rules.means import Means, holds_card_number
from infrastructure.ids import new_id
from infrastructure.money import Money
from tests.integration.payments.conftest import GatewayProcess, giving_up_soon
from tests.support.factories import payments
from tests.support.factories.users import client_of, customer

pytestmark = pytest.mark.django_db


def kept_by(customer_id: UUID, now: datetime, **choices: Any) -> SavedMethod:
    payments.authorised_payment(
        now, token=public.token_for(token="tok_visa", keep=True), customer_id=customer_id, **choices
    )
    return SavedMethod.objects.get(customer_id=customer_id)


def paid_by(method: SavedMethod, now: datetime, *, customer_id: UUID | None) -> Payment:
    token = public.token_for(saved_method=method.id)
    return payments.authorised_payment(now, token=token, customer_id=customer_id)


def test_a_card_is_kept_once_it_is_authorised_and_pays_again(
    now: datetime, gateway_process: GatewayProcess
) -> None:
    ann = new_id()

    method = kept_by(ann, now)
    again = paid_by(method, now, customer_id=ann)

    assert (method.brand, method.last4) == ("visa", "4242")
    assert (method.expiry_month, method.expiry_year, method.gateway) == (12, 2039, "simulated")
    assert method.token.startswith("kept_")
    stored = Payment.objects.get(pk=again.id)
    assert (stored.status, stored.token, stored.saved_method) == ("AUTHORISED", "", "")


def test_nothing_is_kept_of_a_declined_card_a_guest_or_unasked(
    now: datetime, gateway_process: GatewayProcess
) -> None:
    keep = public.token_for(token="tok_declined", keep=True)
    payments.authorised_payment(now, token=keep, customer_id=new_id())
    payments.authorised_payment(now, token=public.token_for(token="tok_visa", keep=True))
    payments.authorised_payment(now, customer_id=new_id())

    assert not SavedMethod.objects.exists()


def test_an_answer_that_was_lost_keeps_it_once(
    now: datetime, gateway_process: GatewayProcess
) -> None:
    ann = new_id()
    gateway_process.change(timeout_after_success_rate=1)
    token = public.token_for(token="tok_visa", keep=True)
    with giving_up_soon():
        payment = payments.authorised_payment(now, token=token, customer_id=ann)
    assert payment.status == "UNKNOWN"
    assert not SavedMethod.objects.exists()

    for _ in range(2):
        services.resolve(payment_id=payment.id, now=now)

    assert SavedMethod.objects.filter(customer_id=ann).count() == 1


def test_nobody_pays_with_the_card_of_another(
    now: datetime, gateway_process: GatewayProcess
) -> None:
    method = kept_by(new_id(), now)

    for stranger in (new_id(), None):
        with pytest.raises(SavedMethodNotFound):
            paid_by(method, now, customer_id=stranger)
        with pytest.raises(SavedMethodNotFound):
            public.check_method(
                method="card",
                amount=Money(100, "GBP"),
                token=public.token_for(saved_method=method.id),
                customer_id=stranger,
            )
    assert Payment.objects.count() == 1


def test_a_deleted_card_is_gone_at_once_and_at_the_gateway_soon(
    now: datetime, gateway_process: GatewayProcess
) -> None:
    ann = new_id()
    method = kept_by(ann, now)
    token = public.token_for(saved_method=method.id)
    asked = payments.request(now, token=token, customer_id=ann)
    public.authorise(**asked)

    services.delete_saved_method(saved_method_id=method.id, customer_id=ann, now=now)

    with pytest.raises(SavedMethodNotFound):
        paid_by(method, now, customer_id=ann)
    assert public.authorise(**asked).status == "AUTHORISED"  # what it was used for stands
    gateway_process.kill()
    assert services.forget_deleted_methods() == 0
    gateway_process.start()
    assert services.forget_deleted_methods() == 1
    assert not SavedMethod.objects.exists()
    refused = gateway_process.command(
        "/authorisations",
        key="k",
        amount_minor=1,
        currency="GBP",
        reference="K",
        saved_method=method.token,
    )
    assert refused.json()["code"] == "invalid_saved_method"


def test_customers_see_and_delete_their_own(now: datetime, gateway_process: GatewayProcess) -> None:
    ann, bob = customer(), customer()
    method = kept_by(ann.id, now)
    own, other = client_of(ann), client_of(bob)
    url = f"/api/v1/payment-methods/{method.id}"

    listed = own.get("/api/v1/payment-methods")
    assert listed.json()["items"] == [
        {
            "id": str(method.id),
            "brand": "visa",
            "last4": "4242",
            "expiry_month": 12,
            "expiry_year": 2039,
            "created_at": listed.json()["items"][0]["created_at"],
        }
    ]
    assert method.token not in listed.text
    assert other.get("/api/v1/payment-methods").json()["items"] == []
    assert (other.delete(url).status_code, own.delete(url).status_code) == (404, 204)
    assert own.delete(url).json()["code"] == "saved_method_not_found"
    assert own.get("/api/v1/payment-methods").json()["items"] == []


def test_what_was_chosen_is_one_text_and_reads_back() -> None:
    saved = new_id()
    for means in (
        Means(token="tok_visa"),
        Means(token="tok_visa", keep=True),
        Means(saved_method=saved),
        Means(),
    ):
        assert Means.read(str(means)) == means
    assert Means.read("saved:nonsense") == Means(token="saved:nonsense")


@pytest.mark.parametrize(
    "text",
    [
        "4242424242424242",
        "tok_4242-4242-4242-4242",
        "x378282246310005",
        "card:5555.5555.5555.4444",
        "6304000000000000",
    ],
)
def test_card_numbers_are_known_by_their_check_digit_and_refused(text: str) -> None:
    assert holds_card_number(text)
    with pytest.raises(CardNumberRefused):
        public.check_method(method="card", amount=Money(100, "GBP"), token=text)


@pytest.mark.parametrize(
    "text", ["tok_visa", "4242424242424241", "pm_1NkXyz2eZvKYlo2C", "tok_12345678901", ""]
)
def test_tokens_are_no_card_numbers(text: str) -> None:
    assert not holds_card_number(text)
