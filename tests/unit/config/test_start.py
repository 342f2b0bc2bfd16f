"""What a process loads before it does anything; roles and commands wait for all of it."""

from __future__ import annotations

import json
import subprocess
import sys

LIBRARIES = ("reportlab", "stripe")
LOOK = f"""
import json, sys
import config.wsgi, config.urls
print(json.dumps([name for name in {LIBRARIES} if name in sys.modules]))
"""


def test_a_web_process_starts_without_the_libraries_that_few_requests_need() -> None:
    looked = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True)
    assert looked.returncode == 0, looked.stderr
    assert json.loads(looked.stdout) == []
