"""Texts of requests that have one form only."""

from __future__ import annotations

import msgspec
import pytest

from domains.orders.api.serializers.orders import (
    BillingAddress,
    Checkout,
    PayAgain,
    PaymentChoice,
    PlaceOrder,
)
from domains.orders.api.serializers.steps import EditOrder
from domains.payments.public import CardNumberRefused
from domains.payments.rules.means import holds_card_number
from infrastructure.http.decoding import InvalidBody, decode_body, decode_value
from infrastructure.http.types import Body

ADDRESS = {"name": "Ann", "line1": "1 Mill Lane", "city": "Leeds", "country": "GB"}


@pytest.mark.parametrize("vat_id", ["DE811907980\n", "\n", "de811907980"])
def test_a_vat_id_is_its_characters_and_nothing_else(vat_id: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=r"\$\.vat_id"):
        msgspec.convert(ADDRESS | {"vat_id": vat_id}, BillingAddress)

    told = msgspec.convert(ADDRESS | {"vat_id": "DE811907980"}, BillingAddress)
    assert told.vat_id == "DE811907980"


@pytest.mark.parametrize("token", ["tok_visa\n", "\n", "4242", "tok visa"])
def test_a_token_is_its_characters_and_nothing_else(token: str) -> None:
    with pytest.raises(InvalidBody) as refused:
        decode_value({"method": "card", "token": token}, PaymentChoice)
    assert [(e.pointer, e.code) for e in refused.value.errors] == [("/token", "bad_format")]


@pytest.mark.parametrize(
    "token",
    [
        "4242424242424242",
        "4242 4242 4242 4242",
        "4242-4242-4242-4241",  # a slip of the pen, and a card number all the same
        "tok_4242424242424242",
        "keep:378282246310005",
    ],
)
@pytest.mark.parametrize("kind", [PlaceOrder, Checkout, PayAgain, EditOrder])
def test_a_card_number_is_refused_whatever_else_is_wrong_and_not_repeated(
    kind: type[Body], token: str
) -> None:
    body = msgspec.json.encode({"payment": {"method": "card", "token": token}, "lines": "none"})
    with pytest.raises(CardNumberRefused) as refused:
        decode_body(body, kind)
    [fault] = refused.value.errors
    assert (fault.pointer, fault.code) == ("/payment/token", "card_number_refused")
    assert token not in f"{refused.value} {fault}"


def test_the_id_of_a_saved_card_is_no_card_number() -> None:
    token = "saved:42424242-4242-4242-8000-000000000000"
    assert holds_card_number(token)
    assert decode_value({"method": "card", "token": token}, PaymentChoice).token == token


@pytest.mark.parametrize(
    "url",
    [
        "https://ann:secret@shop.example/back",
        "https://ann@shop.example",
        "https://shop.example\\@elsewhere.example",
        "https://shop.example/a\nb",
        "https://shop.example/a\x85b",
        "https://shop.example/a\x9fb",
        "https://",
        "javascript:alert(1)",
    ],
)
def test_a_way_back_names_nobody_and_has_no_control_characters(url: str) -> None:
    with pytest.raises(InvalidBody) as refused:
        decode_value({"method": "card", "return_url": url}, PaymentChoice)
    assert [(e.pointer, e.code) for e in refused.value.errors] == [("/return_url", "bad_format")]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://shop.example",
        "http://localhost:8000/back",
        "https://shop.example/@ann?to=a@b#@",
        "https://[::1]:8000/back",
        "https://bücher.example/zurück",
    ],
)
def test_a_way_back_is_an_address_of_the_web(url: str) -> None:
    assert decode_value({"method": "card", "return_url": url}, PaymentChoice).return_url == url
