"""`python -m devstack.gateway`: see `--help`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
from pathlib import Path

from devstack.gateway.ledger import Ledger
from devstack.gateway.server import Gateway, Settings, serve

LOCAL_SECRET = "local-gateway-secret"  # noqa: S105 - guards play money on this machine only


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m devstack.gateway", description="A simulated payment gateway."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8200)
    parser.add_argument("--latency-ms", type=float, default=0, help="of every operation")
    parser.add_argument("--decline-rate", type=float, default=0, help="share declined at random")
    parser.add_argument(
        "--timeout-after-success-rate",
        type=float,
        default=0,
        help="share that is carried out and never answered; a repeat is answered",
    )
    parser.add_argument(
        "--duplicate-rate", type=float, default=0, help="share notified twice, the copy late"
    )
    parser.add_argument("--error-rate", type=float, default=0, help="share answered 500, undone")
    parser.add_argument("--webhook-url", default="", help="where to notify; nowhere if empty")
    parser.add_argument(
        "--state-file", type=Path, default=Path(".local/gateway.jsonl"), help="the journal"
    )
    return parser.parse_args()


async def run(arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    gateway = Gateway(
        ledger=Ledger(arguments.state_file),
        settings=Settings(
            latency_ms=arguments.latency_ms,
            decline_rate=arguments.decline_rate,
            timeout_after_success_rate=arguments.timeout_after_success_rate,
            duplicate_rate=arguments.duplicate_rate,
            error_rate=arguments.error_rate,
            webhook_url=arguments.webhook_url,
        ),
        secret=os.environ.get("PAYMENT_GATEWAY_SECRET", LOCAL_SECRET).encode(),
        url=f"http://{arguments.host}:{arguments.port}",
    )
    server = await serve(gateway, host=arguments.host, port=arguments.port)
    print(f"Simulated gateway on http://{arguments.host}:{arguments.port}", flush=True)
    await stop.wait()
    server.close()


if __name__ == "__main__":
    # Every notification would be a line; what fails is logged by itself.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    asyncio.run(run(parse_arguments()))
