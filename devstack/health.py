"""Whether the role in this container is alive: exit code 0 or 1.

A web process answers on its port; the others touch HEARTBEAT_FILE while they make progress.
"""

from __future__ import annotations

import os
import sys
import time
import urllib.request
from pathlib import Path

_SILENCE_SECONDS = 60


def main() -> int:
    heartbeat = Path(os.environ.get("HEARTBEAT_FILE", ""))
    if heartbeat.is_file():
        return int(time.time() - heartbeat.stat().st_mtime > _SILENCE_SECONDS)
    url = f"http://127.0.0.1:{os.environ.get('PORT', '8000')}/health/live"
    try:
        with urllib.request.urlopen(url, timeout=3) as answer:
            return int(answer.status != 200)
    except OSError:
        return 1


if __name__ == "__main__":
    sys.exit(main())
