"""The load of the benchmarks: what it sends is what a shop takes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from benchmarks.placement.client import Requests, Script, sku_of
from domains.orders.models import Order
from tests.support.factories import products as goods
from tests.support.factories.users import access_token, customer


def parts_of(request: bytes) -> tuple[str, dict[str, str], Any]:
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert int(headers.pop("Content-Length")) == len(body)
    return first, headers, json.loads(body)


@pytest.mark.parametrize("lines", [1, 3, 20])
def test_an_order_has_a_sku_out_of_each_part_and_a_key_of_its_own(lines: int) -> None:
    requests = Requests(port=1, token="t", skus=60, hot=True, lines=lines)
    sent = [parts_of(requests.next()) for _ in range(20)]
    assert len({headers["Idempotency-Key"] for _, headers, _ in sent}) == 20
    assert not any("Prefer" in headers for _, headers, _ in sent)
    part = 60 // lines
    for _, _, body in sent:
        numbers = [int(line["sku"][1:]) for line in body["lines"]]
        assert [number // part for number in numbers] == list(range(lines))
        assert numbers[0] == 0


@pytest.mark.django_db
@pytest.mark.parametrize(("asynchronous", "answered"), [(False, 201), (True, 202)])
def test_the_shop_takes_it_in_both_modes(
    now: datetime, client: Client, asynchronous: bool, answered: int
) -> None:
    goods.stocked({sku_of(number): 5 for number in range(3)}, now=now)
    token = access_token(customer())
    requests = Requests(port=1, token=token, skus=3, hot=False, asynchronous=asynchronous)
    first, headers, body = parts_of(requests.next())
    method, path, _ = first.split()
    send: Callable[..., Any] = getattr(client, method.lower())
    kind = headers.pop("Content-Type")
    assert send(path, body, content_type=kind, headers=headers).status_code == answered
    assert Order.objects.get().asynchronous is asynchronous


def test_a_script_is_sent_in_turn_over_and_over() -> None:
    script = Script([["GET", "/a", None], ["PUT", "/b", '{"quantity": 2}']], port=8000)
    sent = [script.next() for _ in range(3)]
    assert sent[0] == sent[2] == b"GET /a HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n"
    assert parts_of(sent[1]) == (
        "PUT /b HTTP/1.1",
        {"Host": "127.0.0.1:8000", "Content-Type": "application/json"},
        {"quantity": 2},
    )
