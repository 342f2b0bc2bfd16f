"""Ports are remembered while they are free, and a taken one is told with its holder."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from devstack.errors import StackError
from devstack.ports import RememberedPorts, require_free


def test_names_keep_their_ports_over_starts(tmp_path: Path) -> None:
    first = RememberedPorts(tmp_path / "ports.json")
    chosen = {name: first[name] for name in ("postgres", "redis", "kafka")}
    assert len(set(chosen.values())) == 3
    assert first["redis"] == chosen["redis"]
    later = RememberedPorts(tmp_path / "ports.json")
    assert {name: later[name] for name in chosen} == chosen


def test_a_remembered_port_that_another_program_took_is_replaced(tmp_path: Path) -> None:
    port = RememberedPorts(tmp_path / "ports.json")["redis"]
    with socket.create_server(("127.0.0.1", port)):
        other = RememberedPorts(tmp_path / "ports.json")["redis"]
    assert other != port
    assert RememberedPorts(tmp_path / "ports.json")["redis"] == other


def test_a_taken_port_is_refused_with_its_holder_and_a_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(StackError) as refusal:
            require_free(port, host="127.0.0.1", variable="PORT")
    assert refusal.value.what.startswith(f"Port {port} on 127.0.0.1 is taken by ")
    assert f"(process {os.getpid()})" in refusal.value.what
    assert f"`PORT={port + 1} make run`" in refusal.value.todo
    require_free(port, host="127.0.0.1", variable="PORT")


def test_a_host_that_is_not_this_machine_is_no_taken_port() -> None:
    elsewhere = "192.0.2.1"  # for documentation (RFC 5737): no machine has it
    with pytest.raises(StackError, match=f"^{elsewhere} is no address of this machine"):
        require_free(8000, host=elsewhere, variable="PORT")
