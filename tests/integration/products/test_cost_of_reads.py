"""What each read of the catalogue costs: statements, for one row and for many."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.test.utils import CaptureQueriesContext

from infrastructure.database.contexts import connection_of
from infrastructure.http.openapi.document import document
from tests.support.factories import pictures, users
from tests.support.files import bring, take
from tests.support.product_pictures import use_folder

pytestmark = pytest.mark.django_db

AREAS = (
    *("categories", "channels", "exports", "imports", "inventory", "media", "operations"),
    *("price-lists", "product-types", "products", "variants", "warehouses"),
)

# Route, with the parameters that make the most of it -> statements at most.
MOST = {
    "/categories": 1,
    "/categories/{category}": 1,
    "/products?limit=100": 1,
    "/products?category={category}&sort=price&currency=EUR&channel=web&limit=100": 1,
    "/products/{product}": 1,
    "/products/{product}?channel=web&locale=de": 1,
    "/products?q=pot&facets=categories,price,available,attributes"
    "&currency=EUR&attr.glaze=red&limit=100": 2,
}
MOST_FOR_STAFF = {
    "/channels": 1,
    "/inventory?limit=100": 2,
    "/inventory/shortages?limit=100": 1,
    "/inventory/{sku}": 2,
    "/inventory/{sku}/movements?limit=100": 2,
    "/media/{media_id}": 1,
    "/operations?limit=100": 1,
    "/operations/{operation_id}": 1,
    "/operations/{operation_id}/faults?limit=100": 2,
    "/operations/{export_id}/result": 1,
    "/price-lists": 1,
    "/price-lists/{code}": 1,
    "/product-types": 2,
    "/product-types/{type}": 2,
    "/products/{product}/media": 2,
    "/variants/{sku}/price-history?limit=100": 2,
    "/variants/{sku}/price-timeline": 2,
    "/variants/{sku}/prices": 3,
    "/warehouses": 1,
    "/warehouses/{warehouse}": 1,
}
COUNTS = (1, 12)


@pytest.fixture(autouse=True)
def _folder(settings: Any, tmp_path: Path) -> None:
    use_folder(settings, tmp_path / "media")


def fill(count: int, staff: Client, now: datetime) -> dict[str, str]:
    """So many of everything; the names of one of each."""

    def send(method: str, path: str, status: int, body: dict[str, Any]) -> Any:
        answer = getattr(staff, method)(
            f"/api/v1{path}", data=body, content_type="application/json"
        )
        assert answer.status_code == status, answer.content
        return answer.json()

    numbers = range(count)
    bring(
        "product-types",
        "code,name,attribute,attribute_name,kind,choices,filterable\n"
        + "".join(f"t{n},T{n},glaze,Glaze,choice,red=Red|blue=Blue,true\n" for n in numbers),
        now=now,
    )
    bring(
        "categories",
        "external_id,slug,name,parent\n"
        + "".join(f"c{n},c{n},C{n},{'external:c0' if n else ''}\n" for n in numbers),
        now=now,
    )
    bring(
        "products",
        "external_id,slug,sku,name,name.de,status,product_type,categories,attr.glaze,price.EUR\n"
        + "".join(
            f"p{n},pot-{n},S{n}-{v},Pot {n},Topf,active,t0,external:c0,red,{v + 1}.50\n"
            for n in numbers
            for v in numbers
        ),
        now=now,
    )
    for n in numbers:
        send("put", f"/channels/ch{n}", 200, {"name": f"Channel {n}"})
        send("post", "/warehouses", 201, {"code": f"w{n}", "name": f"W{n}"})
        send("post", "/price-lists", 201, {"code": f"l{n}", "name": f"L{n}", "currency": "EUR"})
        send("put", "/variants/S0-0/price", 200, {"amount": f"{n + 3}.00", "currency": "EUR"})
        delta = {"delta": n + 1, "reason": "delivery", "warehouse": f"w{n}"}
        send("post", "/inventory/S0-0/adjustments", 201, delta)
    send("put", "/channels/web", 200, {"name": "Shop"})
    media_id = ""
    for n in numbers:
        file = SimpleUploadedFile("pot.jpg", pictures.picture(width=40 + n), "image/jpeg")
        answer = staff.post("/api/v1/products/pot-0/media", {"file": file})
        assert answer.status_code == 201, answer.content
        media_id = answer.json()["id"]
    wrong = bring("stock", "sku,on_hand\n" + "".join(f"NONE{n},1\n" for n in numbers), now=now)
    take("products", now=now)
    newest = staff.get("/api/v1/operations?kind=products.export").json()["items"][0]
    return {
        "category": "c0",
        "product": "pot-0",
        "sku": "S0-0",
        "code": "l0",
        "type": "t0",
        "warehouse": "w0",
        "media_id": media_id,
        "operation_id": str(wrong.id),
        "export_id": newest["id"],
    }


def read(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200, path
    assert answer.getvalue()


def costs(client: Client, routes: dict[str, int], names: dict[str, str]) -> dict[str, int]:
    """Statements on tables of the catalogue and of operations, per route. What a process looks up
    once a while, such as channels, it knows already."""
    found = {}
    for route in routes:
        path = f"/api/v1{route.format(**names)}"
        read(client, path)
        with CaptureQueriesContext(connection_of("products")) as captured:
            read(client, path)
        statements = [query["sql"] for query in captured]
        found[route] = sum("products_" in sql or "platform_op" in sql for sql in statements)
    return found


@pytest.mark.parametrize("count", COUNTS)
def test_no_read_takes_more_statements_for_more_rows(
    count: int, client: Client, now: datetime
) -> None:
    staff = users.client_of(users.staff())
    names = fill(count, staff, now)
    assert costs(client, MOST, names) == MOST
    assert costs(staff, MOST | MOST_FOR_STAFF, names) == MOST | MOST_FOR_STAFF


def test_every_read_of_the_catalogue_is_counted() -> None:
    counted = {_shape(route) for route in (MOST | MOST_FOR_STAFF)}
    described = {
        _shape(path.removeprefix("/api/v1"))
        for path, methods in document()["paths"].items()
        if "get" in methods and path.split("/")[3:4] and path.split("/")[3] in AREAS
    }
    assert counted == described


def _shape(route: str) -> str:
    """A route without its parameters, and whatever its variables are called."""
    return re.sub(r"\{\w+\}", "{}", route.partition("?")[0])
