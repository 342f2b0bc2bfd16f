"""Uploads, workers and sweeps at once, and a worker that is killed."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from uuid import UUID

import pytest
import redis
from celery import current_app
from django.conf import LazySettings
from django.db import connections

from config.contexts import CONTEXTS
from domains.products.errors import MediaExists
from domains.products.models import MediaFile
from domains.products.queries import media as queries
from domains.products.services import media
from domains.products.tasks import make_due_sizes
from infrastructure import public_files
from infrastructure.database.contexts import alias_of
from infrastructure.database.threads import in_threads
from infrastructure.http.errors import Unavailable
from tests.support.factories import pictures
from tests.support.factories import products as factory
from tests.support.product_pictures import GRACE, add, in_colour, stored, told, use_folder

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def folder(settings: LazySettings, tmp_path: Path) -> Path:
    return use_folder(settings, tmp_path / "media")


@pytest.fixture
def lantern(now: datetime) -> UUID:
    return factory.product(now=now, sku="85123A")


def test_pictures_sent_at_once_are_all_shown_each_in_a_place_of_its_own(
    lantern: UUID, now: datetime
) -> None:
    in_threads(lambda number: add(lantern, now, in_colour(number)), range(16), threads=8)
    found = queries.media_of_product(lantern)
    assert [each.position for each in found] == list(range(16))
    assert told(lantern) == [["media"]] * 16


def test_one_picture_sent_at_once_is_shown_once(lantern: UUID, now: datetime, folder: Path) -> None:
    outcomes: Counter[str] = Counter()

    def send(number: int) -> None:
        try:
            add(lantern, now)
        except MediaExists:
            outcomes["exists"] += 1
        else:
            outcomes["shown"] += 1

    in_threads(send, range(8), threads=8)
    assert outcomes == {"shown": 1, "exists": 7}
    assert (MediaFile.objects.count(), stored(folder)) == (1, ["original.jpg"])


def test_workers_at_once_make_each_picture_once(lantern: UUID, now: datetime) -> None:
    for number in range(6):
        add(lantern, now, in_colour(number))
    made: Counter[bool] = Counter()
    in_threads(lambda _: made.update([media.make_sizes(now=now)]), range(12), threads=4)
    assert made == {True: 6, False: 6}
    assert {each.state for each in queries.media_of_product(lantern)} == {"READY"}
    assert told(lantern) == [["media"]] * 12


def test_who_sends_a_picture_while_it_is_swept_waits_and_gets_its_file(
    lantern: UUID, now: datetime, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    media_id = add(lantern, now)
    media.remove_media(media_id=media_id, version=None, now=now)
    sweeping, go_on = Event(), Event()
    delete = public_files.delete_folder

    def slowly(name: str) -> int:
        sweeping.set()
        assert go_on.wait(60)
        return delete(name)

    monkeypatch.setattr(public_files, "delete_folder", slowly)
    threads = [
        _thread(lambda: media.sweep(now=now + GRACE)),
        _thread(lambda: add(lantern, now + GRACE)),
    ]
    threads[0].start()
    assert sweeping.wait(60)
    threads[1].start()
    threads[1].join(0.3)
    assert threads[1].is_alive()
    go_on.set()
    for thread in threads:
        thread.join(60)
    [shown] = queries.media_of_product(lantern)
    assert shown.state == "PROCESSING"
    assert stored(folder) == ["original.jpg"]


def test_an_upload_gives_a_worker_a_hint_and_needs_none(lantern: UUID, now: datetime) -> None:
    broker = redis.Redis.from_url(current_app.conf.broker_url)
    broker.delete("products")
    add(lantern, now)
    assert broker.llen("products") == 1
    broker.delete("products")  # nobody heard of it
    make_due_sizes()
    assert queries.media_of_product(lantern)[0].state == "READY"


def test_who_waits_too_long_for_the_decoder_is_asked_to_come_again(
    lantern: UUID, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "DECODING_WAIT_SECONDS", 0.01)
    with media._decoding():
        with pytest.raises(Unavailable) as refused:
            add(lantern, now)
        assert refused.value.headers == {"Retry-After": "5"}
    add(lantern, now)
    assert len(queries.media_of_product(lantern)) == 1


KILLED = """
import os, signal
from datetime import datetime
import django
django.setup()
from domains.products.services import media
from domains.products.tasks import make_due_sizes
from infrastructure import public_files

put = public_files.put
def put_one_and_die(key, content):
    put(key, content)
    os.kill(os.getpid(), signal.SIGKILL)

public_files.put = put_one_and_die
media.make_sizes(now=datetime.fromisoformat(os.environ["NOW"]))
"""


def test_a_worker_killed_between_two_sizes_is_followed_by_another(
    lantern: UUID, now: datetime, settings: LazySettings, tmp_path: Path
) -> None:
    folder = use_folder(settings, tmp_path / "files" / "media")
    add(lantern, now)
    variables = {
        **os.environ,
        **_databases(),
        "FILES_DIR": str(tmp_path / "files"),
        "NOW": now.isoformat(),
    }
    killed = subprocess.run([sys.executable, "-c", KILLED], env=variables, check=False, timeout=200)
    assert killed.returncode == -signal.SIGKILL
    assert stored(folder) == ["160.webp", "original.jpg"]
    assert queries.media_of_product(lantern)[0].shown.renditions == ()

    assert media.make_sizes(now=now + timedelta(seconds=119)) is False
    assert media.make_sizes(now=now + timedelta(seconds=121)) is True
    [shown] = queries.media_of_product(lantern)
    assert (shown.state, len(shown.shown.renditions)) == ("READY", 3)
    assert stored(folder) == ["160.webp", "320.webp", "400.webp", "original.jpg"]


def test_an_upload_reads_a_picture_to_its_end(lantern: UUID, now: datetime) -> None:
    file = io.BytesIO(pictures.picture())
    media.add_media(product_id=lantern, file=file, now=now)
    assert file.read() == b""


def _thread(work: object) -> Thread:
    def run() -> None:
        try:
            work()  # type: ignore[operator]
        finally:
            connections.close_all()

    return Thread(target=run, daemon=True)


def _databases() -> dict[str, str]:
    """The databases of this test, as a process of its own is told of them."""

    def url(alias: str) -> str:
        database = connections[alias].settings_dict
        account = f"{database['USER']}:{database['PASSWORD']}" if database["USER"] else ""
        address = f"{database['HOST']}:{database['PORT']}" if database["HOST"] else ""
        return f"postgresql://{account}@{address}/{database['NAME']}"

    own = {
        f"{context.upper()}_DATABASE_URL": url(alias_of(context))
        for context in CONTEXTS
        if alias_of(context) != "default"
    }
    return {"DATABASE_URL": url("default"), **own}
