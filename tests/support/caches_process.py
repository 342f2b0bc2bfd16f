"""A process with a cache of its own: `python -m tests.support.caches_process URL PREFIX WHAT`.

What is cached is the number at `<prefix>:value`; how often it was loaded, is counted at
`<prefix>:loads`.
"""

from __future__ import annotations

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import redis

from infrastructure.cache.entries import Loaded
from infrastructure.cache.tiers import Cache, Read
from tests.support.caches import listening, loaded, new_cache
from tests.support.saying import say
from tests.support.waiting import until


class Reader:
    def __init__(self, url: str, prefix: str) -> None:
        self.client = redis.Redis.from_url(url)
        self.prefix = prefix
        self.cache: Cache = listening(new_cache(url, prefix))

    def read(self, *, slowly: bool = False) -> int:
        def load() -> Loaded:
            self.client.incr(f"{self.prefix}:loads")
            value = int(self.client.get(f"{self.prefix}:value") or 0)
            if slowly:
                time.sleep(0.5)
            return loaded(value, "things")

        return int(self.cache.read(Read(key="/things", load=load)).body)

    def stampede(self, threads: int) -> None:
        """All threads of all processes read at once."""
        barrier = threading.Barrier(threads, action=self._meet)

        def read(_: int) -> int:
            barrier.wait(60)
            return self.read(slowly=True)

        with ThreadPoolExecutor(threads) as pool:
            seen = list(pool.map(read, range(threads)))
        say("seen", len(seen), *sorted(set(seen)))

    def _meet(self) -> None:
        self.client.incr(f"{self.prefix}:here")
        until(lambda: int(self.client.get(f"{self.prefix}:here") or 0) == 2)

    def watch(self) -> None:
        """Say what is in memory, and again when that is something else."""
        first = self.read()
        until(lambda: self.cache.local.get("/things") is not None)
        say("seen", first)
        until(lambda: self.read() != first)
        say("seen", self.read())


def main() -> None:
    url, prefix, what, *rest = sys.argv[1:]
    reader = Reader(url, prefix)
    if what == "stampede":
        reader.stampede(int(rest[0]))
    else:
        reader.watch()


if __name__ == "__main__":
    main()
