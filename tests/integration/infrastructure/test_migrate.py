"""Two deployments may migrate the same new database at the same time."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest
from django.conf import settings
from django.db import connections

from infrastructure.database.contexts import aliases, schemas_on

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(300)]

NAME = "kontor_migrated_twice"


@pytest.fixture
def empty_database() -> Iterator[str]:
    server = connections[aliases()[0]].settings_dict
    base = f"postgresql://{server['USER']}:{server['PASSWORD']}@{server['HOST']}:{server['PORT']}/"
    name = f"{NAME}_{os.getpid()}"
    with psycopg.connect(base + server["NAME"], autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name}")
        connection.execute(f"CREATE DATABASE {name}")
        yield base + name
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_both_end_well_and_a_third_finds_nothing_to_do(empty_database: str) -> None:
    moved = {name for name in os.environ if name.endswith("_DATABASE_URL")}
    environment = {name: value for name, value in os.environ.items() if name not in moved}
    environment |= {
        "DATABASE_URL": empty_database,
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
    }
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]

    both = [
        subprocess.Popen(
            command,
            cwd=settings.BASE_DIR,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=250)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs

    third = subprocess.run(
        [*command, "--check"], cwd=settings.BASE_DIR, env=environment, check=False
    )
    assert third.returncode == 0
    with psycopg.connect(empty_database) as connection:
        found = connection.execute("SELECT current_schemas(false)").fetchone()
    assert found is not None
    if len(aliases()) == 1:
        assert found[0] == schemas_on(aliases()[0])
