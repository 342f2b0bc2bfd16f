"""What staff name things by is on one line, also where several are named at once."""

from __future__ import annotations

import pytest
from django import forms
from django.core.exceptions import ValidationError

from domains.orders.admin.fields import CouponsField
from domains.orders.admin.telephone import LinesField
from domains.pricing.admin.coupons import CouponForm
from domains.pricing.admin.fields import CountriesField, ManyField
from domains.pricing.admin.promotions import BatchForm, PreviewForm
from domains.pricing.admin.shipping import ShippingForm
from domains.pricing.admin.taxes import TaxRateForm
from domains.users.admin import CustomerGroupForm


@pytest.mark.parametrize(
    ("form", "name"),
    [
        (BatchForm, "beginning"),
        (CouponForm, "code"),
        (PreviewForm, "customer_group"),
        (PreviewForm, "channel"),
        (ShippingForm, "tax_class"),
        (TaxRateForm, "tax_class"),
        (CustomerGroupForm, "customer_group"),
    ],
)
def test_a_code_has_no_control_characters(form: type[forms.Form], name: str) -> None:
    assert_refused(form.base_fields[name])


@pytest.mark.parametrize("field", [ManyField(), CountriesField(), LinesField(), CouponsField()])
def test_neither_has_one_of_several(field: forms.Field) -> None:
    assert_refused(field)


def assert_refused(field: forms.Field) -> None:
    with pytest.raises(ValidationError) as caught:
        field.clean("BE\x07TA")
    assert [error.code for error in caught.value.error_list] == ["bad_format"]
