"""What the cache did, for /metrics."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

READS = Counter(
    "cache_reads_total",
    "Reads through the cache, by the tier that answered: local, shared, or load for none.",
    ["tier"],
)
LOADS = Counter("cache_loads_total", "Loads from the database, by outcome.", ["outcome"])
INVALIDATED = Counter(
    "cache_invalidated_tags_total", "Tags that this process invalidated, by outcome.", ["outcome"]
)
DROPPED = Counter(
    "cache_dropped_entries_total", "Entries of this process that an invalidation dropped."
)
LISTENER_LIVE = Gauge(
    "cache_listener_live",
    "Processes that hear of invalidations; the others answer nothing from their memory.",
    multiprocess_mode="livesum",
)
LISTENER_STARTS = Counter(
    "cache_listener_subscriptions_total", "Times a listener subscribed, and cleared its process."
)
LAG = Histogram(
    "cache_invalidation_lag_seconds",
    "From an invalidation to its arrival in a process; clocks of machines differ.",
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5),
)
ENTRIES = Gauge(
    "cache_local_entries", "Entries in the memory of processes.", multiprocess_mode="livesum"
)
BYTES = Gauge("cache_local_bytes", "What they may weigh, in bytes.", multiprocess_mode="livesum")

LOCAL, SHARED, MISS = (READS.labels(tier) for tier in ("local", "shared", "load"))
LOADED, LOAD_FAILED = (LOADS.labels(outcome) for outcome in ("loaded", "failed"))
TOLD, UNTOLD = (INVALIDATED.labels(outcome) for outcome in ("told", "queued"))
