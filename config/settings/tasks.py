"""Work that no request waits for: Celery, what it does by the clock, and operations."""

from __future__ import annotations

from kombu import Exchange, Queue

from config.contexts import CONTEXTS
from config.settings.environment import env

CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # Longer than the longest task: a task whose worker died is delivered again after it.
    "visibility_timeout": 900,
    "socket_timeout": 5,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 25,
    "retry_on_timeout": True,
}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_SOFT_TIME_LIMIT = 300
CELERY_TASK_TIME_LIMIT = 330
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# Log lines go to standard output, and must not come back as log lines.
CELERY_WORKER_REDIRECT_STDOUTS = False
# A worker that is told to stop gives its tasks so many seconds; what is left is delivered again.
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 5.0
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
# A queue per context. A worker takes from all of them in turn, so the long tasks of one context can
# still occupy it; a worker for some of them alone is started with -Q, see docs/operations.md.
CELERY_TASK_DEFAULT_QUEUE = "platform"
CELERY_TASK_QUEUES = [
    Queue(name, Exchange(name), routing_key=name) for name in ("platform", *CONTEXTS)
]
CELERY_TASK_CREATE_MISSING_QUEUES = False
CELERY_TASK_ROUTES = {f"{context}.*": {"queue": context} for context in CONTEXTS}
CELERY_BEAT_SCHEDULE = {
    "settle unfinished orders": {
        "task": "orders.settle_unfinished_orders",
        "schedule": 5.0,
        "options": {"expires": 30},
    },
    "finish checkouts": {
        "task": "orders.finish_checkouts",
        "schedule": 5.0,
        "options": {"expires": 30},
    },
    "resolve unfinished payments": {
        "task": "payments.resolve_unfinished",
        "schedule": 5.0,
        "options": {"expires": 30},
    },
    "apply early notifications of payments": {
        "task": "payments.apply_early_notifications",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "reconcile payments": {"task": "payments.reconcile", "schedule": 3600.0},
    "forget deleted payment methods": {
        "task": "payments.forget_deleted_methods",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "turn due prices": {
        "task": "products.turn_due_prices",
        "schedule": 5.0,
        "options": {"expires": 30},
    },
    "finish merges of carts": {
        "task": "carts.finish_merges",
        "schedule": 5.0,
        "options": {"expires": 30},
    },
    "purge sessions": {"task": "users.purge_sessions", "schedule": 3600.0},
    "forget checkouts": {"task": "orders.forget_checkouts", "schedule": 3600.0},
    "forget old rows": {"task": "platform.forget_old_rows", "schedule": 3600.0},
    "free expired holds of carts": {
        "task": "products.free_expired_holds",
        "schedule": 5.0,
        "options": {"expires": 30},
    },
    "make due picture sizes": {
        "task": "products.make_due_sizes",
        "schedule": 10.0,
        "options": {"expires": 30},
    },
    "refresh due listings": {
        "task": "products.refresh_due_listings",
        "schedule": 5.0,
        "options": {"expires": 30},
    },
    "count categories": {
        "task": "products.count_categories",
        "schedule": 5.0,
        "options": {"expires": 30},
    },
    "refresh popularity": {"task": "products.refresh_popularity", "schedule": 600.0},
    "count words": {"task": "products.count_words", "schedule": 3600.0},
    "sweep pictures": {"task": "products.sweep_pictures", "schedule": 3600.0},
    "forget operations": {"task": "platform.forget_operations", "schedule": 3600.0},
    "sweep operations": {
        "task": "platform.sweep_operations",
        "schedule": 5.0,
        "options": {"expires": 30},
    },
}
CELERY_TIMEZONE = "UTC"

# --- Operations ------------------------------------------------------------------------------

# A worker that is silent for so long is taken for dead, and another goes on with its work.
OPERATION_LEASE_SECONDS = env.number("OPERATION_LEASE_SECONDS", 30.0)
# How long one operation keeps a worker before others have a turn; below the tasks' time limit.
OPERATION_SLICE_SECONDS = env.number("OPERATION_SLICE_SECONDS", 60.0)
env.require(
    OPERATION_SLICE_SECONDS + OPERATION_LEASE_SECONDS <= CELERY_TASK_SOFT_TIME_LIMIT,
    f"OPERATION_SLICE_SECONDS and OPERATION_LEASE_SECONDS must not exceed"
    f" {CELERY_TASK_SOFT_TIME_LIMIT} together",
)
# Finished operations go with their faults and files.
OPERATION_RETENTION_DAYS = env.integer("OPERATION_RETENTION_DAYS", 30)
env.require(OPERATION_RETENTION_DAYS >= 1, "OPERATION_RETENTION_DAYS must be 1 or more")
# A bulk request with more rows is carried out by a worker.
BULK_SYNC_LIMIT = env.integer("BULK_SYNC_LIMIT", 100)
# Of a file that is imported over HTTP, unpacked; and up to which size it is imported at once.
IMPORT_MAX_BYTES = env.integer("IMPORT_MAX_BYTES", 256 * 1024 * 1024)
IMPORT_SYNC_BYTES = env.integer("IMPORT_SYNC_BYTES", 64 * 1024)
