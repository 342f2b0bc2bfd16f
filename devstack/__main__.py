"""`python -m devstack run | attach -- COMMAND | exec -- COMMAND | reset`."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from devstack import shop, variables
from devstack.console import Console
from devstack.credentials import Credentials
from devstack.errors import StackError
from devstack.layout import ROOT, Layout, read_json, write_private_json
from devstack.options import SERVICE_VARIABLES, Options
from devstack.ports import RememberedPorts, require_free
from devstack.postgres import Postgres, with_database_tools
from devstack.preflight import require_python
from devstack.service import Stopped
from devstack.stack import Stack
from devstack.supervisor import Supervisor


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m devstack", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="start everything and stay in the foreground")
    reset = commands.add_parser("reset", help="throw the local stack's data away")
    for command in (run, reset):
        command.add_argument("--local", type=Path, help="the folder for data (.local)")
    execute = commands.add_parser("exec", help="run a command with fresh servers")
    execute.add_argument("--local", type=Path, help="the folder for data (.local/test)")
    execute.add_argument(
        "--only",
        default=",".join(SERVICE_VARIABLES),
        help="start only the servers of these variables, separated by commas",
    )
    execute.add_argument("--split", action="store_true", help="one database per context")
    attached = commands.add_parser("attach", help="run a command as the running shop would")
    attached.add_argument("--local", type=Path, help="the folder for data (.local)")
    for command in (execute, attached):
        command.add_argument("program", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    chosen = parser.parse_args(arguments)
    console = Console()
    try:
        require_python()
        if chosen.command == "run":
            return run_shop(_layout(Layout.for_running(), chosen.local), console)
        if chosen.command == "reset":
            return reset_data(_layout(Layout.for_running(), chosen.local), console)
        program = chosen.program[1:] if chosen.program[:1] == ["--"] else chosen.program
        if not program:
            parser.error(f"{chosen.command} needs a command after --")
        if chosen.command == "attach":
            return attach(_layout(Layout.for_running(), chosen.local), program=program)
        return execute_with_servers(
            _layout(Layout.for_tests(), chosen.local),
            console,
            program=program,
            wanted=chosen.only.split(","),
            split=chosen.split,
        )
    except StackError as error:
        console.say(f"{error.what}\n{error.todo}")
        return 1


def run_shop(layout: Layout, console: Console) -> int:
    options = Options.read(os.environ)
    with layout.claimed("make run"):
        require_free(options.port, host=options.host, variable="PORT")
        credentials = Credentials(layout.credentials)
        ports = RememberedPorts(layout.ports)
        stack = Stack(layout, given=options.given, credentials=credentials, ports=ports)
        staff_password = credentials.password("staff")
        access: dict[str, Any] = {
            "api": f"{options.base_url}/api/v1",
            "admin": f"{options.base_url}/admin/",
            "staff": {"email": shop.STAFF_EMAIL, "password": staff_password},
            "database_url": stack.urls["DATABASE_URL"],
            "redis_url": stack.urls["REDIS_URL"],
            "kafka": stack.urls["KAFKA_BOOTSTRAP_SERVERS"],
            "metrics": {
                "web": f"{options.base_url}/metrics",
                "relay": f"http://127.0.0.1:{ports['relay_metrics']}/metrics",
                "consumer": f"http://127.0.0.1:{ports['consumer_metrics']}/metrics",
            },
        }
        # The caller's own settings have their way, except over the addresses just chosen.
        environment = {
            **shop.environment(
                options=options,
                urls=stack.urls,
                credentials=credentials,
                gateway_port=ports["gateway"],
            ),
            "FILES_DIR": str(layout.data("files")),
            **os.environ,
            **stack.urls,
        }
        write_private_json(layout.environment, variables.of_the_shop(environment))
        Supervisor(
            layout=layout,
            console=console,
            directory=ROOT,
            stack=stack,
            environment=environment,
            steps=shop.steps(staff_password=staff_password),
            roles=shop.roles(options=options, layout=layout, ports=ports),
            access=access,
            greeting=_greeting(options, access, layout),
        ).run()
    return 0


def reset_data(layout: Layout, console: Console) -> int:
    with layout.claimed("make reset"):
        layout.erase()
    console.say(f"The data in {layout.local} is gone. The next start makes a new shop.")
    return 0


def attach(layout: Layout, *, program: list[str]) -> int:
    """Become the program, with the environment that the running shop's processes have."""
    if not layout.access.exists():
        raise StackError(
            "No shop is running in this checkout.", "Start it with `make run` in another shell."
        )
    environment = with_database_tools(
        {**variables.not_of_the_shop(os.environ), **read_json(layout.environment)}
    )
    os.execvpe(program[0], program, environment)  # noqa: S606


def execute_with_servers(
    layout: Layout, console: Console, *, program: Sequence[str], wanted: Sequence[str], split: bool
) -> int:
    """Run the program with the servers' addresses in its environment; its exit code is ours."""
    given = Options.read(os.environ).given
    with layout.claimed("make test"):
        layout.erase()
        stack = Stack(
            layout,
            given=given,
            credentials=Credentials(layout.credentials),
            ports=RememberedPorts(layout.ports),
            wanted=wanted,
        )
        stopping = threading.Event()
        child: subprocess.Popen[bytes] | None = None

        def pass_on(number: int, frame: object) -> None:
            stopping.set()
            # Ctrl-C in a terminal reaches the program by itself.
            if child is not None and number != signal.SIGINT:
                child.send_signal(number)

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, pass_on)
        try:
            stack.prepare(console)
            stack.launch()
            stack.wait_until_ready(console, stopping)
            environment = with_database_tools({**os.environ, **stack.urls})
            if split:
                environment.update(_database_per_context(stack))
            child = subprocess.Popen(program, env=environment)
            return child.wait()
        except Stopped:
            return 130
        finally:
            stack.stop()


def _database_per_context(stack: Stack) -> dict[str, str]:
    """`<CONTEXT>_DATABASE_URL` for every context, each a database of its own on the same server."""
    from config.contexts import CONTEXTS

    names = {context: f"kontor_{context}" for context in CONTEXTS}
    for service in stack.services:
        if isinstance(service, Postgres):
            for name in names.values():
                service.ensure_database(name)
    url = urlsplit(stack.urls["DATABASE_URL"])
    return {
        f"{context.upper()}_DATABASE_URL": url._replace(path=f"/{name}").geturl()
        for context, name in names.items()
    }


def _greeting(options: Options, access: Mapping[str, Any], layout: Layout) -> str:
    return "\n".join(
        [
            "",
            "The shop is open.",
            f"  API         {access['api']}    described at {options.base_url}/api/docs/",
            f"  admin       {access['admin']}",
            f"  staff       {access['staff']['email']}    password {access['staff']['password']}",
            f"  PostgreSQL  {access['database_url']}",
            f"  Valkey      {access['redis_url']}",
            f"  Kafka       {access['kafka']}",
            f"  metrics     {'    '.join(access['metrics'].values())}",
            f"  logs        {layout.log('*')}    all of this: {layout.access}",
            "Ctrl-C stops everything and keeps the data; `make reset` throws it away.",
            "",
        ]
    )


def _layout(default: Layout, local: Path | None) -> Layout:
    return Layout(local=local.resolve(), shared=default.shared) if local else default


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
