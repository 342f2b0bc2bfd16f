"""Texts of requests that have one form only."""

from __future__ import annotations

import msgspec
import pytest

from domains.orders.api.serializers.orders import BillingAddress, PaymentChoice

ADDRESS = {"name": "Ann", "line1": "1 Mill Lane", "city": "Leeds", "country": "GB"}


@pytest.mark.parametrize("vat_id", ["DE811907980\n", "\n", "de811907980"])
def test_a_vat_id_is_its_characters_and_nothing_else(vat_id: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=r"\$\.vat_id"):
        msgspec.convert(ADDRESS | {"vat_id": vat_id}, BillingAddress)

    told = msgspec.convert(ADDRESS | {"vat_id": "DE811907980"}, BillingAddress)
    assert told.vat_id == "DE811907980"


@pytest.mark.parametrize("token", ["tok_visa\n", "\n", "4242", "tok visa"])
def test_a_token_is_its_characters_and_nothing_else(token: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=r"\$\.token"):
        msgspec.convert({"method": "card", "token": token}, PaymentChoice)
