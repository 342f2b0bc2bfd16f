"""What this machine lacks is said in a sentence, with what to do about it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from devstack import preflight
from devstack.errors import StackError


def test_an_old_python_is_refused_with_its_version() -> None:
    with pytest.raises(StackError) as refusal:
        preflight.require_python((3, 10))
    assert refusal.value.what == "This is Python 3.10; Kontor needs 3.11 or later."
    assert refusal.value.todo == (
        "Install a newer one and name it, as in `make run PYTHON=python3.13`."
    )


def test_the_platforms_with_wheels_are_accepted() -> None:
    preflight.require_platform("Linux", "x86_64", ("glibc", "2.28"))
    preflight.require_platform("Linux", "aarch64", ("glibc", "2.36"))
    preflight.require_platform("Darwin", "arm64")


@pytest.mark.parametrize(
    ("system", "machine", "libc", "said"),
    [
        ("Linux", "riscv64", ("glibc", "2.36"), "no embedded servers for Linux on riscv64"),
        ("Darwin", "x86_64", ("", ""), "no embedded servers for Darwin on x86_64"),
        ("Linux", "x86_64", ("", ""), "this Linux has another C library"),
        ("Linux", "x86_64", ("glibc", "2.27"), "glibc here is 2.27"),
    ],
)
def test_a_platform_without_servers_is_named_with_the_way_out(
    system: str, machine: str, libc: tuple[str, str], said: str
) -> None:
    with pytest.raises(StackError) as refusal:
        preflight.require_platform(system, machine, libc)
    assert said in refusal.value.what
    assert "`docker compose up`" in refusal.value.todo


def test_a_full_disk_is_told_in_gigabytes(tmp_path: Path) -> None:
    preflight.require_space(tmp_path, 300_000_000, free=300_000_000)
    with pytest.raises(StackError) as refusal:
        preflight.require_space(tmp_path, 1_500_000_000, free=200_000_000)
    assert refusal.value.what == (
        f"The disk that holds {tmp_path} has 0.2 GB left; 1.5 GB are needed."
    )
    assert "Make room" in refusal.value.todo


@pytest.mark.parametrize(
    ("variable", "address"),
    [
        ("DATABASE_URL", "postgresql://kontor:p%40ss@127.0.0.1:{port}/kontor?sslmode=prefer"),
        ("REDIS_URL", "redis://:secret@127.0.0.1:{port}/0"),
        ("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1,127.0.0.1:{port}"),
    ],
)
def test_a_given_server_counts_when_one_of_its_addresses_answers(
    variable: str, address: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        preflight.require_answer(variable, address.format(port=port))
    with pytest.raises(StackError) as refusal:
        preflight.require_answer(variable, address.format(port=port))
    assert f"{variable} names 127.0.0.1" in refusal.value.what
    assert "secret" not in refusal.value.what
    assert refusal.value.todo.endswith(f"leave {variable} out to get an embedded one.")
