"""A small shop under the real supervisor, run by the tests as a program of its own.

Its web role has a child that outlives it when it is killed, as the workers of a WSGI server do.
"""

from __future__ import annotations

import sys
from pathlib import Path

from devstack.console import Console
from devstack.credentials import Credentials
from devstack.layout import Layout
from devstack.ports import RememberedPorts
from devstack.stack import Stack
from devstack.supervisor import Program, Supervisor

WEB = """
import http.server, subprocess, sys
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""
WORKERS = {
    "willing": "import time; time.sleep(600)",
    "stubborn": "from signal import *; signal(SIGTERM, SIG_IGN); import time; time.sleep(600)",
}


def main(local: Path, port: str, worker: str) -> None:
    layout = Layout(local=local, shared=local)
    with layout.claimed("make run"):
        stack = Stack(
            layout,
            given={},
            credentials=Credentials(layout.credentials),
            ports=RememberedPorts(layout.ports),
            wanted=["REDIS_URL"],
        )
        Supervisor(
            layout=layout,
            console=Console(),
            directory=local,
            stack=stack,
            environment={},
            steps=[Program("step", [sys.executable, "-c", "print('done')"], title="One step")],
            roles=[
                Program(
                    "web",
                    [sys.executable, "-c", WEB, port],
                    ready_url=f"http://127.0.0.1:{port}/",
                ),
                Program("worker", [sys.executable, "-c", WORKERS[worker]]),
            ],
            access={"api": f"http://127.0.0.1:{port}", "redis_url": stack.urls["REDIS_URL"]},
            greeting="The shop is open.",
        ).run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
