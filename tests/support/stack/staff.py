"""What staff do for a test, over HTTP as they would."""

from __future__ import annotations

from uuid import uuid4

from tests.support.stack.buyers import Account
from tests.support.stack.shop import Shop


def new_coupon(shop: Shop, *, usage_limit: int) -> str:
    """The code of a coupon that takes 1.00 GBP off, so often."""
    staff = Account.of_staff(shop)
    promotion = shop.http.post(
        "/api/v1/promotions",
        headers=staff.headers,
        json={
            "name": "Thank you",
            "kind": "fixed_order",
            "automatic": False,
            "amounts": {"GBP": "1.00"},
        },
    )
    assert promotion.status_code == 201, promotion.text
    code = f"C{uuid4().hex[:10].upper()}"
    coupon = shop.http.post(
        "/api/v1/coupons",
        headers=staff.headers,
        json={"code": code, "promotion_id": promotion.json()["id"], "usage_limit": usage_limit},
    )
    assert coupon.status_code == 201, coupon.text
    return code


def set_price(shop: Shop, sku: str, amount: str) -> None:
    answer = shop.http.put(
        f"/api/v1/variants/{sku}/price",
        headers=Account.of_staff(shop).headers,
        json={"amount": amount, "currency": "GBP"},
    )
    assert answer.status_code in (200, 201), answer.text


def new_goods(shop: Shop, *, on_hand: int, count: int = 1) -> list[str]:
    """The SKUs of a new product's variants, each with that many pieces at 4.50 GBP."""
    staff = Account.of_staff(shop)
    skus = [f"T{uuid4().hex[:10].upper()}" for _ in range(count)]
    price = {"amount": "4.50", "currency": "GBP"}
    answer = shop.http.post(
        "/api/v1/products",
        headers=staff.headers,
        json={
            "name": f"Goods {skus[0]}",
            "status": "active",
            "variants": [{"sku": sku, "price": price} for sku in skus],
        },
    )
    assert answer.status_code == 201, answer.text
    for sku in skus:
        answer = shop.http.post(
            f"/api/v1/inventory/{sku}/adjustments",
            headers=staff.headers,
            json={"delta": on_hand, "reason": "count"},
        )
        assert answer.status_code == 201, answer.text
    return skus
