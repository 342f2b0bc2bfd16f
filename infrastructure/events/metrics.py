"""What the consumers count."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

HANDLED = Counter("kontor_events_handled", "Events that a handler has handled.", ["handler"])
FAILURES = Counter(
    "kontor_handler_failures", "Times a handler has raised, by what it meant.", ["handler", "kind"]
)
DEAD_LETTERS = Counter(
    "kontor_dead_letters", "Events that a handler has given up, without followers.", ["handler"]
)
SKIPPED = Counter(
    "kontor_events_skipped",
    "Messages without a handler in this context: of a type nobody listens to, or not ours.",
    ["context", "kind"],
)
SEQUENCE_BREAKS = Counter(
    "kontor_sequence_breaks",
    "Messages whose number does not follow the one before of the same aggregate.",
    ["context", "topic"],
)
LAG = Gauge(
    "kontor_consumer_lag",
    "Messages of a partition still to be handled.",
    ["group", "topic", "partition"],
)
OPEN_LETTERS = Gauge("kontor_dead_letters_open", "Dead letters nobody has resolved.", ["context"])
