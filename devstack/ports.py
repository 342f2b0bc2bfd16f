"""Ports on this machine: which are free, who sits on one, which were used last time."""

from __future__ import annotations

import contextlib
import errno
import random
import socket
from pathlib import Path

import psutil

from devstack.errors import StackError
from devstack.layout import read_json, write_private_json

# Below the range from which the kernel takes ports of outgoing connections: while a server is
# being restarted nobody else gets its port by accident.
_FIRST, _LAST = 20000, 32000
# Of its own: processes whose `random` is seeded alike would all choose the same port.
_random = random.SystemRandom()


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    with socket.socket(_family(host)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def require_free(port: int, *, host: str, variable: str) -> None:
    """Refuse a port that someone chose, with the name of whoever has it, and a host whose
    connections this machine cannot take."""
    if not _is_ours(host):
        raise StackError(
            f"{host} is no address of this machine.",
            "Set HOST to one of its own, or to 0.0.0.0 for all of them.",
        )
    if port < 1024 and _is_forbidden(port, host):
        raise StackError(
            f"Port {port} is for the administrator only.",
            f"Choose another, as in `{variable}=8000 make run`.",
        )
    if not is_free(port, host):
        raise StackError(
            f"Port {port} on {host} is taken{_by_whom(port)}.",
            f"Stop that program or choose another port, as in `{variable}={port + 1} make run`.",
        )


def _is_ours(host: str) -> bool:
    try:
        socket.create_server((host, 0), family=_family(host)).close()
    except socket.gaierror:
        return False
    except OSError as error:
        return error.errno != errno.EADDRNOTAVAIL
    return True


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _is_forbidden(port: int, host: str) -> bool:
    try:
        socket.create_server((host, port)).close()
    except PermissionError:
        return True
    except OSError:
        pass
    return False


def _by_whom(port: int) -> str:
    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            address = connection.laddr
            listens = connection.status == psutil.CONN_LISTEN and address and address.port == port
            if listens and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    return ""


def free_port() -> int:
    """A port for a server that is about to start."""
    while not is_free(port := _random.randrange(_FIRST, _LAST)):
        pass
    return port


class RememberedPorts:
    """One port for each name, the same at every start as long as nobody else has taken it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ports: dict[str, int] = read_json(path)
        self._chosen: dict[str, int] = {}

    def __getitem__(self, name: str) -> int:
        if name in self._chosen:
            return self._chosen[name]
        port = self._ports.get(name)
        while port is None or port in self._chosen.values() or not is_free(port):
            port = free_port()
        self._chosen[name] = port
        if self._ports.get(name) != port:
            self._ports[name] = port
            write_private_json(self._path, self._ports)
        return port
