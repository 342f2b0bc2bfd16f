"""A Valkey of a test's own, which it may kill, start again, replicate or give less rights."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import redis

from devstack.ports import RememberedPorts
from devstack.valkey import binary

# As the carts' server has to be.
DURABLE = (
    "--appendonly yes",
    "--appendfsync always",
    "--maxmemory-policy noeviction",
    "--repl-diskless-sync-delay 0",
)


class OwnValkey:
    def __init__(self, folder: Path, settings: Sequence[str] = DURABLE) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        ports = RememberedPorts(folder / "ports.json")
        self.folder, self.port = folder, ports["valkey"]
        # Otherwise a cluster's bus gets the port ten thousand above, which the kernel may have
        # given to somebody's outgoing connection.
        self._settings = (*settings, f"--cluster-port {ports['bus']}")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, decode_responses=True, retry=None)

    def start(self) -> None:
        self._process = subprocess.Popen(
            [binary(), "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
            + ["--dir", str(self.folder), "--loglevel", "warning"]
            + [word for setting in self._settings for word in setting.split(" ")],
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 120
        while True:
            try:
                with self.client as client:
                    client.ping()
                return
            except redis.RedisError:
                assert self._process.poll() is None, "Valkey did not start."
                assert time.monotonic() < deadline, "Valkey did not answer."
                time.sleep(0.02)

    def kill(self) -> None:
        """As the kernel would, without a word."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def pause(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.resume()
            self.kill()


@contextmanager
def own_valkey(folder: Path, settings: Sequence[str] = DURABLE) -> Iterator[OwnValkey]:
    server = OwnValkey(folder, settings)
    server.start()
    try:
        yield server
    finally:
        server.stop()
