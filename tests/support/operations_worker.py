"""A Celery worker that knows the tests' own operations, as a process that a test can kill:
`python -m tests.support.operations_worker`. It makes the file TOLD_TO_STOP once it is told to."""

from __future__ import annotations

import math
import os
import threading
from pathlib import Path

import django

django.setup()

from config.celery import app  # noqa: E402
from infrastructure.operations import stopping  # noqa: E402
from tests.support import operations  # noqa: E402
from tests.support.waiting import until  # noqa: E402


def say_when_told() -> None:
    until(stopping.is_stopping, seconds=math.inf)
    Path(os.environ["TOLD_TO_STOP"]).touch()


assert operations.KIND
if "TOLD_TO_STOP" in os.environ:
    threading.Thread(target=say_when_told, daemon=True).start()
app.worker_main(["-q", "worker", "--concurrency", "1", "--queues", operations.CONTEXT])
