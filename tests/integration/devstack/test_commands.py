"""`python -m devstack …` as the Makefile calls it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import yaml

from devstack.layout import ROOT
from devstack.options import SERVICE_VARIABLES

SHOW_URLS = "import json, os; print(json.dumps({k: os.environ.get(k) for k in %r}))"


def devstack(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name not in SERVICE_VARIABLES}
    return subprocess.run(
        [sys.executable, "-m", "devstack", *arguments],
        cwd=ROOT,
        env={**inherited, **variables},
        capture_output=True,
        text=True,
    )


def test_a_command_gets_fresh_servers_and_its_exit_code_passes_through(tmp_path: Path) -> None:
    script = (
        "import os, redis, sys; client = redis.Redis.from_url(os.environ['REDIS_URL']);"
        "print('found', client.incr('visits')); sys.exit(7)"
    )
    for _ in range(2):
        result = devstack(
            *["exec", "--local", str(tmp_path), "--only", "REDIS_URL", "--"],
            *[sys.executable, "-c", script],
        )
        assert result.returncode == 7
        assert "found 1\n" in result.stdout


def test_a_server_in_the_environment_is_used_and_not_replaced(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        given = f"redis://127.0.0.1:{server.getsockname()[1]}/5"
        names = ("REDIS_URL", "DATABASE_URL")
        result = devstack(
            *["exec", "--local", str(tmp_path), "--only", "REDIS_URL", "--"],
            *[sys.executable, "-c", SHOW_URLS % (names,)],
            REDIS_URL=given,
        )
    assert json.loads(result.stdout.splitlines()[-1]) == {"REDIS_URL": given, "DATABASE_URL": None}
    assert not (tmp_path / "redis").exists()


def test_every_context_gets_a_database_of_its_own_when_asked(tmp_path: Path) -> None:
    script = (
        "import os, psycopg\n"
        "names = [n for n in sorted(os.environ) if n.endswith('_DATABASE_URL')]\n"
        "print(*[psycopg.connect(os.environ[n]).info.dbname for n in names])"
    )
    result = devstack(
        *["exec", "--local", str(tmp_path), "--only", "DATABASE_URL", "--split", "--"],
        *[sys.executable, "-c", script],
    )
    assert result.stdout.splitlines()[-1] == (
        "kontor_carts kontor_orders kontor_payments kontor_pricing kontor_products"
        " kontor_reporting kontor_users"
    )


def test_a_taken_port_ends_the_start_with_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        result = devstack("run", "--local", str(tmp_path), PORT=str(port))
    assert result.returncode == 1
    assert f"Port {port} on 127.0.0.1 is taken by " in result.stdout
    assert f"`PORT={port + 1} make run`" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr


def test_attaching_to_no_shop_says_how_to_start_one(tmp_path: Path) -> None:
    result = devstack("attach", "--local", str(tmp_path), "--", "true")
    assert result.returncode == 1
    assert "No shop is running in this checkout." in result.stdout
    assert "`make run`" in result.stdout


def test_compose_is_valid_and_runs_the_roles_that_the_local_stack_runs() -> None:
    subprocess.run(
        [
            str(Path(sys.executable).with_name("check-jsonschema")),
            *["--builtin-schema", "vendor.compose-spec", "compose.yaml"],
        ],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    roles = {"gateway", "web", "relay", "consumer", "worker", "beat"}
    assert set(services) == roles | {
        *["postgres", "valkey", "kafka", "nginx", "prepare", "secrets"]
    }
    assert all(services[role]["image"] == "kontor:local" for role in roles)
    assert services["web"]["deploy"]["replicas"] > 1


def test_make_alone_prints_every_target_with_a_line() -> None:
    shown = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    listed = [line.split(maxsplit=1) for line in shown.splitlines()]
    assert {"run", "test", "check", "replay", "audit", "reset"} <= {name for name, _ in listed}
    assert all(len(help_line) > 10 for _, help_line in listed)


def test_make_without_a_new_enough_python_says_what_to_install() -> None:
    make = shutil.which("make")
    assert make is not None
    result = subprocess.run(
        [make, "run"], cwd=ROOT, env={"PATH": "/nowhere"}, capture_output=True, text=True
    )
    assert result.returncode == 2
    assert "No Python 3.11 or later was found. Install one" in result.stdout
