"""`python -m demo.replay`: real invoices as orders over HTTP, and then the audit of the books."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from demo.invoices import INVOICES, Invoice, Played, invoices_of, repeated
from demo.online_retail import Kind, classified, read
from demo.replay.customer import Customer, NoAccount, Stopped
from demo.replay.orders import order_of
from demo.replay.screen import show_until
from demo.replay.tally import Tally

ROOT = Path(__file__).resolve().parent.parent.parent
ACCESS = ROOT / ".local" / "access.json"
AUDIT_WAIT_SECONDS = 120
FAILED, STOPPED = 1, 130
_MEANING_OF_CODE = {
    1: "the books differ",
    2: "not everything could be compared",
    3: f"the shop did not come to rest within {AUDIT_WAIT_SECONDS} s",
}

Work = Iterator[tuple[str, Invoice]]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m demo.replay", description=__doc__)
    parser.add_argument("--orders", type=_count, help="how many (all invoices of the file)")
    parser.add_argument("--concurrency", type=_count, default=8, help="customers at once (8)")
    parser.add_argument("--file", type=Path, default=INVOICES, help="CSV, plain or gzip")
    parser.add_argument("--api", help="address of the API (the shop that `make run` started)")
    parser.add_argument("--no-audit", action="store_true", help="do not compare the books after it")
    chosen = parser.parse_args(arguments)
    api = chosen.api or _address_of_the_shop()
    if api is None:
        print("No shop is running here. Start one with `make run`, or name it with --api.")
        return FAILED

    played = Played()
    invoices = invoices_of(classified(read(chosen.file)), played)
    _say_what_is_played(played, invoices)
    if not invoices:
        return FAILED
    total = chosen.orders or len(invoices)
    if total > len(invoices):
        print(f"{total} orders are wanted: the invoices come again from the start.")
    run = secrets.token_hex(4)
    print(f"Run {run}: {total} orders by {chosen.concurrency} customers to {api}", flush=True)

    tally = Tally()
    stopping = threading.Event()
    try:
        play(repeated(invoices, orders=total), total=total, api=api, run=run,
             concurrency=chosen.concurrency, tally=tally, stopping=stopping)  # fmt: skip
    except KeyboardInterrupt:
        print("\nStopped. What was sent is decided by the shop.")
    except NoAccount as error:
        print(error)
        return FAILED
    figures = tally.figures()
    print(f"{figures.answered} of {total} orders in {figures.seconds:.1f} s: {figures}", flush=True)
    if stopping.is_set():
        return STOPPED
    if chosen.no_audit:
        return FAILED if figures.failed else 0
    return _audit(api_was_given=bool(chosen.api)) or (FAILED if figures.failed else 0)


def play(
    work: Work,
    *,
    total: int,
    api: str,
    run: str,
    concurrency: int,
    tally: Tally,
    stopping: threading.Event,
) -> None:
    """Place all orders. Each thread is a customer with an account and a connection of its own.

    Raises NoAccount where one of them was not let in, and KeyboardInterrupt.
    """
    lock = threading.Lock()
    failures: list[Exception] = []

    def be_a_customer(number: int) -> None:
        email = f"replay-{run}-{number}@example.com"
        customer = Customer(api, email=email, stopping=stopping)
        try:
            customer.register()
            while True:
                with lock:
                    name, invoice = next(work, ("", None))
                if invoice is None:
                    return
                tally.add(customer.place(order_of(invoice), key=f"{name}-{run}"))
        except Stopped:
            pass
        except Exception as error:  # shown by the main thread; the others need not go on
            failures.append(error)
            stopping.set()
        finally:
            customer.close()

    customers = [
        threading.Thread(target=be_a_customer, args=(number,), daemon=True)
        for number in range(min(concurrency, total))
    ]
    for customer in customers:
        customer.start()
    try:
        show_until(
            lambda: not any(customer.is_alive() for customer in customers),
            figures=tally.figures,
            total=total,
        )
    except KeyboardInterrupt:
        stopping.set()
        raise
    finally:
        for customer in customers:
            customer.join()
    if failures:
        raise failures[0]


def _say_what_is_played(played: Played, invoices: Sequence[Invoice]) -> None:
    lines = sum(played.lines.values())
    print(f"{len(invoices):,} invoices with {played.lines[Kind.SALE]:,} of {lines:,} lines.")
    print("Left out:")
    for kind in Kind:
        if kind is not Kind.SALE and played.lines[kind]:
            print(f"  {played.lines[kind]:>7,} lines: {kind}")
    print(f"  {played.empty:>7,} invoices without anything left")
    print(f"{played.merged:,} lines of a SKU that the invoice has already were added to it.")


def _address_of_the_shop() -> str | None:
    """As `make replay` attaches it to the shop, or as the shop wrote it down."""
    if "PUBLIC_URL" in os.environ:
        return f"{os.environ['PUBLIC_URL']}/api/v1"
    try:
        return str(json.loads(ACCESS.read_text())["api"])
    except (FileNotFoundError, ValueError, KeyError):
        return None


def _audit(*, api_was_given: bool) -> int:
    """The exit code of the audit, which needs the settings of the shop."""
    command = [sys.executable, "manage.py", "audit_books", "--wait", str(AUDIT_WAIT_SECONDS)]
    if "DATABASE_URL" not in os.environ:
        if api_was_given:
            print("Not audited: run `manage.py audit_books --wait 120` where the shop runs.")
            return 0
        command = [sys.executable, "-m", "devstack", "attach", "--", *command]
    print("Waiting for all facts to be handled, then comparing the books …", flush=True)
    code = subprocess.call(command, cwd=ROOT)  # noqa: S603
    if code:
        print(f"The audit ended with {code}: {_MEANING_OF_CODE.get(code, 'it broke off')}.")
    return code


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above zero.")
    return int(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
