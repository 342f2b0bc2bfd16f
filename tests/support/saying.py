"""What a process of a test tells the test, line by line."""

from __future__ import annotations

import sys


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()
