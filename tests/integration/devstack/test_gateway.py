"""The simulated gateway as a process: how it ends."""

from __future__ import annotations

import http.client
import subprocess
import sys
from pathlib import Path

from devstack.ports import free_port


def test_it_is_stopped_without_a_word_while_connections_are_kept(tmp_path: Path) -> None:
    port = free_port()
    journal = str(tmp_path / "journal.jsonl")
    process = subprocess.Popen(
        [sys.executable, "-m", "devstack.gateway", "--port", str(port), "--state-file", journal],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("Simulated gateway on")
    kept = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    kept.request("GET", "/health")
    assert kept.getresponse().read() == b'{"status":"ok"}'
    process.terminate()
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "")
    kept.close()
