"""A Celery worker that knows the tests' own operations, as a process that a test can kill:
`python -m tests.support.operations_worker`."""

from __future__ import annotations

import django

django.setup()

from config.celery import app  # noqa: E402
from tests.support import operations  # noqa: E402

assert operations.KIND
app.worker_main(["-q", "worker", "--concurrency", "1", "--queues", operations.CONTEXT])
