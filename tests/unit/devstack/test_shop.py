"""What the supervisor is told to run."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstack import shop
from devstack.credentials import Credentials
from devstack.errors import StackError
from devstack.layout import Layout
from devstack.options import Options
from devstack.ports import RememberedPorts


def test_every_role_runs_and_web_gets_a_fresh_folder_for_its_metrics(tmp_path: Path) -> None:
    layout = Layout(local=tmp_path, shared=tmp_path)
    layout.metrics.mkdir()
    (layout.metrics / "counter_1.db").touch()
    options = Options(port=8123, web_workers=3, web_threads=6)
    roles = shop.roles(options=options, layout=layout, ports=RememberedPorts(layout.ports))
    assert [role.name for role in roles] == [
        "gateway",
        "web",
        "relay",
        "consumer",
        "worker",
        "beat",
    ]
    web = roles[1]
    assert web.environment == {
        "PROMETHEUS_MULTIPROC_DIR": str(layout.metrics),
        "WEB_THREADS": "6",
    }
    assert list(layout.metrics.iterdir()) == []
    assert web.ready_url == "http://127.0.0.1:8123/health/live"
    command = " ".join(web.command)
    assert "--port 8123 --workers 3 --blocking-threads 6 " in command
    assert "--respawn-failed-workers" in command


def test_a_role_can_be_left_out(tmp_path: Path) -> None:
    layout = Layout(local=tmp_path, shared=tmp_path)
    options = Options.read({"WITHOUT": "consumer, beat"})
    roles = shop.roles(options=options, layout=layout, ports=RememberedPorts(layout.ports))
    assert [role.name for role in roles] == ["gateway", "web", "relay", "worker"]


def test_what_cannot_be_left_out_is_told() -> None:
    with pytest.raises(StackError) as refusal:
        Options.read({"WITHOUT": "web,consumer,kafka"})
    assert refusal.value.what == "WITHOUT names kafka, web, which the shop cannot leave out."
    assert "`WITHOUT=consumer make run`" in refusal.value.todo


def test_the_shop_gets_secrets_of_its_own_and_the_addresses_of_its_servers(tmp_path: Path) -> None:
    urls = {"DATABASE_URL": "postgresql://x/y", "REDIS_URL": "redis://x", "KAFKA": "x"}
    credentials = Credentials(tmp_path / "credentials.json")
    variables = shop.environment(
        options=Options(), urls=urls, credentials=credentials, gateway_port=8200
    )
    assert variables.items() >= urls.items()
    assert variables["PAYMENT_GATEWAY_URL"] == "http://127.0.0.1:8200"
    secrets = [variables[name] for name in variables if name.endswith(("_KEY", "_SECRET"))]
    assert len(secrets) == len(set(secrets)) == 5
