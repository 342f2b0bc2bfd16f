"""The customers of a replay, against a small shop that misbehaves."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from demo.invoices import Invoice
from demo.replay import __main__ as replay
from demo.replay import customer as customers
from demo.replay.__main__ import play
from demo.replay.customer import Customer, NoAccount, Outcome, Stopped
from demo.replay.tally import Tally

BROKEN = "the connection breaks"


class Shop:
    """Answers what the test lined up, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: list[Any] = []
        self.orders: list[tuple[str, str]] = []
        self.tokens = 0
        self.registered: set[str] = set()
        self.lets_in = True
        shop = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                answer = shop.answer(self.path, body, self.headers)
                if answer == BROKEN:
                    self.close_connection = True
                    return
                status, content = answer
                payload = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/api/v1"

    def answer(self, path: str, body: Any, headers: Any) -> Any:
        if path == "/api/v1/auth/register":
            if not self.lets_in:
                return 400, {"code": "weak_password"}
            self.registered.add(body["email"])
            return 201, {}
        if path == "/api/v1/auth/token":
            self.tokens += 1
            return 200, {"access_token": f"token-{self.tokens}", "expires_in": 600}
        self.orders.append((headers["Idempotency-Key"], headers["Authorization"]))
        return self.answers.pop(0) if self.answers else (201, {"status": "CONFIRMED"})


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    thread = threading.Thread(target=shop.server.serve_forever, args=(0.01,))
    thread.start()
    yield shop
    shop.server.shutdown()
    thread.join()
    shop.server.server_close()


@pytest.fixture
def customer(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Customer]:
    monkeypatch.setattr(customers, "LONGEST_PAUSE_SECONDS", 0.01)
    customer = Customer(shop.url, email="a@example.com", stopping=threading.Event())
    yield customer
    customer.close()


def placed(customer: Customer) -> tuple[str, int, bool]:
    outcome = customer.place({"lines": []}, key="536365-run")
    return outcome.result, outcome.retries, outcome.failed


def test_an_answer_ends_the_placement(shop: Shop, customer: Customer) -> None:
    assert placed(customer) == ("CONFIRMED", 0, False)
    assert shop.orders == [("536365-run", "Bearer token-1")]


@pytest.mark.parametrize(
    "passing",
    [
        BROKEN,
        (503, {"code": "unavailable"}),
        (502, {}),
        (429, {"code": "rate_limited"}),
        (409, {"code": "in_progress"}),
    ],
)
def test_what_passes_is_tried_again_under_the_same_key(
    shop: Shop, customer: Customer, passing: Any
) -> None:
    shop.answers = [passing, passing]

    assert placed(customer) == ("CONFIRMED", 2, False)
    assert {key for key, _ in shop.orders} == {"536365-run"}
    assert len(shop.orders) == 3


def test_a_token_that_is_refused_is_replaced(shop: Shop, customer: Customer) -> None:
    shop.answers = [(401, {"code": "invalid_token"})]

    assert placed(customer) == ("CONFIRMED", 1, False)
    assert [token for _, token in shop.orders] == ["Bearer token-1", "Bearer token-2"]


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        ((409, {"code": "out_of_stock"}), ("out_of_stock", 0, False)),
        ((402, {"code": "payment_declined"}), ("payment_declined", 0, False)),
        ((500, {"code": "internal_error"}), ("internal_error", 0, True)),
        ((500, "?"), ("http_500", 0, True)),
        ((202, {"status": "PENDING"}), ("PENDING", 0, False)),
    ],
)
def test_what_stays_is_the_outcome(
    shop: Shop, customer: Customer, answer: Any, result: tuple[str, int, bool]
) -> None:
    shop.answers = [answer]

    assert placed(customer) == result


def test_patience_ends(shop: Shop, customer: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(customers, "PATIENCE_SECONDS", 0.0)
    shop.answers = [(503, {"code": "unavailable"})]

    assert placed(customer) == ("unavailable", 0, True)


def test_a_replay_that_is_stopped_sends_nothing_more(shop: Shop) -> None:
    stopping = threading.Event()
    stopping.set()

    with pytest.raises(Stopped):
        Customer(shop.url, email="a@example.com", stopping=stopping).register()

    assert shop.registered == set()


def work(count: int) -> Iterator[tuple[str, Invoice]]:
    for number in range(count):
        yield (
            str(number),
            Invoice(number=str(number), customer="", country="France", lines={"A": 1}),
        )


def test_customers_share_the_work_and_every_order_is_placed_once(shop: Shop) -> None:
    tally = Tally()

    play(
        work(20),
        total=20,
        api=shop.url,
        run="run",
        concurrency=4,
        tally=tally,
        stopping=threading.Event(),
    )

    assert sorted(key for key, _ in shop.orders) == sorted(f"{n}-run" for n in range(20))
    assert shop.registered == {f"replay-run-{n}@example.com" for n in range(4)}
    assert tally.figures().confirmed == 20


def test_a_shop_that_lets_nobody_in_ends_the_replay(shop: Shop) -> None:
    shop.lets_in = False

    with pytest.raises(NoAccount, match="weak_password"):
        play(
            work(20),
            total=20,
            api=shop.url,
            run="run",
            concurrency=2,
            tally=Tally(),
            stopping=threading.Event(),
        )


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (0, ""),
        (1, "The audit ended with 1: the books differ.\n"),
        (3, "The audit ended with 3: the shop did not come to rest within 120 s.\n"),
        (70, "The audit ended with 70: it broke off.\n"),
    ],
)
def test_a_replay_ends_with_its_counts_and_as_the_audit_ends(
    shop: Shop,
    code: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "manage.py").write_text(
        f"import sys; sys.exit({code} if sys.argv[1:] == ['audit_books', '--wait', '120'] else 99)"
    )
    monkeypatch.setattr(replay, "ROOT", tmp_path)
    monkeypatch.setenv("DATABASE_URL", "the audit's own")
    monkeypatch.setattr(replay, "show_until", lambda done, **_: None)
    shop.answers = [(409, {"code": "out_of_stock"}), (402, {"code": "payment_declined"})]

    ended = replay.main(["--orders", "5", "--concurrency", "1", "--api", shop.url])

    printed = capsys.readouterr().out
    assert ended == code
    assert "5 of 5 orders in " in printed
    assert ": 3 confirmed, refused: 1 out_of_stock, 1 payment_declined, " in printed
    assert printed.endswith(f"then comparing the books …\n{said}")


def test_the_tally_counts_by_result_and_knows_the_quantiles() -> None:
    tally = Tally()
    for number in range(100):
        tally.add(Outcome("CONFIRMED", seconds=number / 100, retries=0))
    tally.add(Outcome("out_of_stock", seconds=5.0, retries=2))
    tally.add(Outcome("http_500", seconds=5.0, retries=0, failed=True))

    figures = tally.figures()

    assert (figures.answered, figures.confirmed, figures.retries) == (102, 100, 2)
    assert figures.refused == {"out_of_stock": 1}
    assert figures.failed == {"http_500": 1}
    assert (figures.p50, figures.p99) == (0.51, 5.0)
