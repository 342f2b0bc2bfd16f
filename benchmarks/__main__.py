"""`python -m benchmarks`: placement, then messaging. Options are those of the placement."""

from __future__ import annotations

import subprocess
import sys


def main() -> int:
    for module, arguments in (
        ("benchmarks.placement", sys.argv[1:]),
        ("benchmarks.messaging", []),
    ):
        ended = subprocess.run([sys.executable, "-m", module, *arguments])
        if ended.returncode:
            return ended.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
