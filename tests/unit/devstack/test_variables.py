"""What of a developer's environment is kept in a file for `attach`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from devstack import __main__ as devstack
from devstack import variables
from devstack.console import Console
from devstack.layout import ROOT, Layout, write_private_json

OURS = {
    "DJANGO_SETTINGS_MODULE": "config.settings.local",
    "DATABASE_URL": "postgresql://127.0.0.1:1/x",
    "DATABASE_REPLICA_URLS": "postgresql://127.0.0.1:1/standby",
    "ORDERS_DATABASE_URL": "postgresql://127.0.0.1:1/orders",
    "ORDERS_DATABASE_REPLICA_URLS": "postgresql://127.0.0.1:1/standby",
    "SECRET_KEY_FILE": "/run/secret_key",
    "HEARTBEAT_FILE": "/tmp/heartbeat",
    "RATE_LIMITS": "search=off",
    "ORDER_NUMBER_KEY": "k",
    "PAYMENT_GATEWAY_SECRET": "s",
    "KAFKA_TOPIC_PREFIX": "mine.",
}
THEIRS = {"GITHUB_TOKEN": "t", "AWS_SECRET_ACCESS_KEY": "s", "PATH": "/bin", "HOME": "/root"}


def test_the_shops_variables_are_those_that_its_settings_read() -> None:
    assert variables.of_the_shop(OURS | THEIRS) == OURS
    assert variables.not_of_the_shop(OURS | THEIRS) == THEIRS


def test_the_example_of_an_environment_has_every_variable_and_no_other() -> None:
    text = (ROOT / ".env.example").read_text()
    words = set(re.findall(r"[A-Z][A-Z0-9_]+", text))
    shown = words | {word.removesuffix("_FILE") for word in words}
    # Those of single contexts have one example for all of them.
    assert variables.names() - variables.of_one_context() - shown == set()
    assert {"ORDERS_DATABASE_URL", "ORDERS_DATABASE_REPLICA_URLS"} <= shown

    given = re.findall(r"(?<![=,\w])([A-Z][A-Z0-9_]+)=", text)
    # What the image and `make run` read before there are settings.
    assert variables.not_of_the_shop(dict.fromkeys(given, "")).keys() == {
        "HOST",
        "PORT",
        "WEB_WORKERS",
        "WITHOUT",
    }


def test_a_developers_tokens_are_not_written_to_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Supervisor:
        def __init__(self, **started_with: object) -> None:
            self.started_with = started_with

        def run(self) -> None:
            environment = self.started_with["environment"]
            assert isinstance(environment, dict)
            assert environment["GITHUB_TOKEN"] == "t"

    servers = {"REDIS_URL": "redis://127.0.0.1:1", "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}
    for name, text in {**OURS, **THEIRS, **servers, "PORT": "8987"}.items():
        monkeypatch.setenv(name, text)
    monkeypatch.setattr(devstack, "Supervisor", Supervisor)
    layout = Layout(local=tmp_path, shared=tmp_path)

    devstack.run_shop(layout, Console())

    written = json.loads(layout.environment.read_text())
    assert written.items() >= (OURS | servers).items()
    assert not written.keys() & THEIRS.keys()
    assert layout.environment.stat().st_mode & 0o077 == 0


def test_what_attaches_has_the_running_shops_variables_and_otherwise_its_own(
    tmp_path: Path,
) -> None:
    layout = Layout(local=tmp_path, shared=tmp_path)
    write_private_json(layout.access, {})
    write_private_json(layout.environment, {"DATABASE_URL": "postgresql://running/x"})
    script = "import json, os; print(json.dumps(dict(os.environ)))"
    result = subprocess.run(
        [
            *[sys.executable, "-m", "devstack", "attach", "--local", str(tmp_path)],
            *["--", sys.executable, "-c", script],
        ],
        cwd=ROOT,
        env={**OURS, "PATH": os.environ["PATH"], "EDITOR": "ed"},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(result.stdout)
    assert found["DATABASE_URL"] == "postgresql://running/x"
    assert found["EDITOR"] == "ed"
    assert not found.keys() & (OURS.keys() - {"DATABASE_URL"})
