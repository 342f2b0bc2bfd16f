"""Kafka's jars: downloaded once by their pinned coordinates, each checked against the lock file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import requests
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.maven import MavenContext

from devstack.console import Console
from devstack.errors import StackError

_LOCK_FILE = Path(__file__).parent / "jars.lock"
_DOWNLOADS_AT_ONCE = 6


@dataclass(frozen=True)
class Jar:
    path: str
    """Relative to the folder of jars: group/artifact/version/file, as in a Maven repository."""
    sha256: str

    @property
    def coordinates(self) -> tuple[str, str, str]:
        *group, artifact, version, _ = self.path.split("/")
        return ".".join(group), artifact, version

    def is_sound(self, folder: Path) -> bool:
        try:
            content = (folder / self.path).read_bytes()
        except FileNotFoundError:
            return False
        return hashlib.sha256(content).hexdigest() == self.sha256


def locked_jars(lock_file: Path = _LOCK_FILE) -> Iterator[Jar]:
    for line in lock_file.read_text().splitlines():
        if line and not line.startswith("#"):
            sha256, path = line.split()
            yield Jar(path=path, sha256=sha256)


def fetch_jars(folder: Path, console: Console) -> list[Path]:
    """Every jar, downloaded where it is missing or damaged."""
    jars = list(locked_jars())
    missing = [jar for jar in jars if not jar.is_sound(folder)]
    if missing:
        with (
            console.step("Downloading Kafka (41 MB, once)") as progress,
            ThreadPoolExecutor(_DOWNLOADS_AT_ONCE) as pool,
        ):
            running = {pool.submit(_download, jar, folder): jar for jar in missing}
            try:
                for done, future in enumerate(as_completed(running), start=1):
                    future.result()
                    name = running[future].path.rpartition("/")[2]
                    progress.update(done, len(missing), name)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    return [folder / jar.path for jar in jars]


def _download(jar: Jar, folder: Path) -> None:
    # The lock file names all of Kafka, so nothing is resolved: one file is fetched for each line.
    target = folder / jar.path
    target.unlink(missing_ok=True)
    context = MavenContext(
        repo_cache=folder, local_repos=[], remote_repos={"central": MAVEN_CENTRAL_URL}, timeout=30
    )
    group, artifact, version = jar.coordinates
    try:
        context.project(group, artifact).at_version(version).artifact().resolve()
    except (requests.RequestException, RuntimeError) as error:
        target.unlink(missing_ok=True)
        raise StackError(
            f"Kafka could not be downloaded: {error}",
            "The first start needs the network once. Try again when it is there, or set"
            " KAFKA_BOOTSTRAP_SERVERS to a broker of yours.",
        ) from error
    if not jar.is_sound(folder):
        target.unlink(missing_ok=True)
        raise StackError(
            f"The download of {jar.path} is not the file that the lock names.",
            "Something between here and the repository changed it, or it was cut off: try again.",
        )
