"""What the shop consists of: the steps before it opens, its roles, and their environment."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from devstack import web
from devstack.credentials import Credentials
from devstack.layout import Layout
from devstack.options import Options
from devstack.ports import RememberedPorts
from devstack.supervisor import Program

STAFF_EMAIL = "staff@kontor.example"


def environment(
    *, options: Options, urls: Mapping[str, str], credentials: Credentials, gateway_port: int
) -> dict[str, str]:
    """The variables of every process of the shop, as an operator would set them."""
    return {
        **urls,
        "DJANGO_SETTINGS_MODULE": "config.settings.local",
        "PUBLIC_URL": options.base_url,
        "ALLOWED_HOSTS": "*",
        "SECRET_KEY": credentials.key("secret_key"),
        "JWT_PRIVATE_KEY": credentials.signing_key("jwt_private_key"),
        "PII_INDEX_KEY": credentials.key("pii_index_key"),
        "ORDER_NUMBER_KEY": credentials.key("order_number_key"),
        "PAYMENT_GATEWAY": "simulated",
        "PAYMENT_GATEWAY_URL": f"http://127.0.0.1:{gateway_port}",
        "PAYMENT_GATEWAY_SECRET": credentials.key("payment_gateway_secret"),
        "KAFKA_REPLICATION_FACTOR": "1",
        "LOG_READABLE": "true",
        "PYTHONUNBUFFERED": "1",
    }


def steps(*, staff_password: str) -> list[Program]:
    return [
        Program(
            "prepare",
            [sys.executable, "-m", "devstack.prepare"],
            {"STAFF_EMAIL": STAFF_EMAIL, "STAFF_PASSWORD": staff_password},
            title="Migrations, topics, staff login, demo catalogue",
        )
    ]


def roles(*, options: Options, layout: Layout, ports: RememberedPorts) -> list[Program]:
    python = sys.executable
    web.make_metrics_folder(layout.metrics)
    programs = [
        Program(
            "gateway",
            [
                *[python, "-m", "devstack.gateway", "--port", str(ports["gateway"])],
                *["--state-file", str(layout.data("gateway.jsonl"))],
            ],
        ),
        Program(
            "web",
            web.command(options, grace_seconds=5),
            {
                "PROMETHEUS_MULTIPROC_DIR": str(layout.metrics),
                # The settings count by it how many calls to the gateway one process may have.
                "WEB_THREADS": str(options.web_threads),
            },
            ready_url=f"{options.base_url}/health/live",
        ),
        Program("relay", _manage("relay_outbox"), {"METRICS_PORT": str(ports["relay_metrics"])}),
        Program(
            "consumer", _manage("consume_events"), {"METRICS_PORT": str(ports["consumer_metrics"])}
        ),
        Program(
            "worker",
            [
                # Celery warns about root, which is who often runs this in a container.
                *[python, "-W", "ignore:You're running the worker", "-m", "celery"],
                *["-q", "-A", "config.celery", "worker", "--concurrency", "4"],
            ],
            # Tasks are hints: a stop waits for them five seconds, then gives them back.
            {"REMAP_SIGTERM": "SIGQUIT"},
        ),
        Program("beat", _manage("run_beat")),
    ]
    return [program for program in programs if program.name not in options.without]


def _manage(*arguments: str) -> list[str]:
    return [sys.executable, "manage.py", *arguments]
