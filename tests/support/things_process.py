"""The relay or the consumer of the tests' own context as a process, so that a test can kill it:
`python -m tests.support.things_process relay|consume`."""

from __future__ import annotations

import signal
import sys

import django

django.setup()

from django.core.management import call_command  # noqa: E402

from infrastructure.kafka.consumer import GroupConsumer  # noqa: E402
from tests.support import things  # noqa: E402

things.install()
if sys.argv[1] == "relay":
    call_command("relay_outbox")
else:
    group = GroupConsumer(things.CONTEXT)
    signal.signal(signal.SIGTERM, lambda *_: group.stop())
    group.run()
