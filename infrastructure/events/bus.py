"""Brings messages to the handlers of one context. Knows no broker: the consumer feeds it from
Kafka, tests feed it from the outbox."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from infrastructure import clock
from infrastructure.database.contexts import alias_of
from infrastructure.events import metrics
from infrastructure.events.codec import (
    Undecodable,
    UnknownVersion,
    can_read,
    decode,
    is_known,
)
from infrastructure.events.envelope import (
    Envelope,
    Message,
    NotAnEvent,
    claimed_name,
    read_envelope,
)
from infrastructure.events.event import Event
from infrastructure.events.subscriptions import Subscription, subscriptions_of
from infrastructure.inbox import marks
from infrastructure.inbox.dead_letters import DeadLetters
from infrastructure.inbox.marks import Claim
from infrastructure.observability import correlation
from infrastructure.observability.correlation import Correlation

_batch: ContextVar[dict[UUID, Envelope]] = ContextVar("batch")


@dataclass(frozen=True, slots=True)
class Work:
    """One message for one handler."""

    message: Message
    subscription: Subscription
    envelope: Envelope
    event: Event
    claim: Claim


@dataclass(frozen=True, slots=True)
class Broken:
    """One message that a handler should get and nobody can read."""

    message: Message
    subscription: Subscription
    error: Exception


class Dispatcher:
    """The handlers of a context, each event once per handler.

    Effects of ordinary handlers, and the marks that they had them, commit together. Handlers
    declared idempotent run outside any transaction, and their marks follow.
    """

    def __init__(
        self,
        context: str,
        dead_letters: DeadLetters | None = None,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self.context = context
        self._alias = alias_of(context)
        self._letters = dead_letters or DeadLetters(context)
        self._now = now
        self.subscriptions = subscriptions_of(context)
        self.topics = {subscription.event_class.topic for subscription in self.subscriptions}
        self._by_name: dict[str, list[Subscription]] = defaultdict(list)
        for subscription in self.subscriptions:
            self._by_name[subscription.event_class.name].append(subscription)

    def read(self, message: Message) -> list[Work | Broken]:
        """What this context has to do for a message: nothing for a type nobody listens to."""
        name = claimed_name(message)
        subscriptions = self._by_name.get(name or "")
        if not subscriptions:
            metrics.SKIPPED.labels(self.context, "foreign" if name is None else "unheard").inc()
            return []
        try:
            envelope = read_envelope(message)
        except NotAnEvent as error:
            return [Broken(message, subscription, error) for subscription in subscriptions]
        events: dict[type[Event], Event] = {}
        works: list[Work | Broken] = []
        for subscription in subscriptions:
            event_class = subscription.event_class
            try:
                if not can_read(event_class, envelope.version):
                    if is_known(envelope.name, envelope.version):
                        continue  # published for those who listen to that version
                    raise UnknownVersion(f"Nobody here knows {envelope.name} v{envelope.version}.")
                if event_class not in events:
                    events[event_class] = decode(envelope, message.value, event_class)
            except Undecodable as error:
                works.append(Broken(message, subscription, error))
                continue
            claim = Claim(subscription.label, message.topic, envelope.key, envelope.event_id)
            works.append(Work(message, subscription, envelope, events[event_class], claim))
        return works

    def handle(self, messages: Iterable[Message]) -> None:
        """Hand messages to every handler that has not handled them yet.

        What nobody can read is set aside. Raises what a handler raises: then the ordinary handlers
        have had no effect, and the idempotent ones may have.
        """
        works = [work for message in messages for work in self.read(message)]
        sound: list[Work] = []
        for work in works:
            if isinstance(work, Broken):
                self.set_aside(work, work.error, attempts=1)
            else:
                sound.append(work)
        self._handle_in_transaction([w for w in sound if not w.subscription.idempotent])
        self._handle_idempotently([w for w in sound if w.subscription.idempotent])

    def handle_alone(self, work: Work) -> None:
        """Hand one message to one handler. Raises what the handler raises."""
        if work.subscription.idempotent:
            self._handle_idempotently([work])
        else:
            self._handle_in_transaction([work])

    def handle_again(self, work: Work) -> None:
        """Hand a dead letter to its handler, past the block on its key. For an ordinary handler
        the caller has a transaction open."""
        if not marks.is_marked(self._alias, work.claim):
            _run([work])
            marks.mark(self._alias, [(work.claim.handler, work.claim.event_id)], self._now())

    def handle_anew(self, works: Sequence[Work], *, begun_at: datetime) -> int:
        """Hand events to their handlers although they have had them, once in the replay that
        began at `begun_at`. Returns how many were handed over."""
        with transaction.atomic(using=self._alias):
            fresh = marks.reclaim(
                self._alias, [work.claim for work in works], before=begun_at, now=self._now()
            )
            todo = _each_once(works, fresh)
            for label_works in _by_handler(todo):
                _run(label_works)
        _count(todo)
        return len(todo)

    def set_aside(self, work: Work | Broken, error: Exception, *, attempts: int) -> None:
        """Give a message up for one handler: a dead letter, and its key is blocked."""
        label = work.subscription.label
        metrics.DEAD_LETTERS.labels(label).inc()
        self._letters.set_aside(
            work.message, work.subscription, error, attempts=attempts, now=self._now()
        )

    def measure(self) -> None:
        """Set the gauge of open dead letters."""
        metrics.OPEN_LETTERS.labels(self.context).set(self._letters.count_open())

    def _handle_in_transaction(self, works: Sequence[Work]) -> None:
        if not works:
            return
        with transaction.atomic(using=self._alias):
            claimed = marks.claim(self._alias, [work.claim for work in works], self._now())
            fresh = self._fresh(works, claimed)
            for label_works in _by_handler(fresh):
                _run(label_works)
        _count(fresh)

    def _handle_idempotently(self, works: Sequence[Work]) -> None:
        if not works:
            return
        claimed = marks.look(self._alias, [work.claim for work in works])
        with transaction.atomic(using=self._alias):
            fresh = self._fresh(works, claimed)
        done: list[Work] = []
        try:
            for label_works in _by_handler(fresh):
                if label_works[0].subscription.batch:
                    _run(label_works)
                    done += label_works
                    continue
                for work in label_works:
                    _run([work])
                    done.append(work)
        finally:
            # Also when a later one fails: what is done need not be done again.
            marks.mark(
                self._alias, [(w.claim.handler, w.claim.event_id) for w in done], self._now()
            )
        _count(done)

    def _fresh(self, works: Sequence[Work], claimed: marks.Claimed) -> list[Work]:
        """The works to be done now; those of blocked keys join the queue behind what failed."""
        free = []
        for work in works:
            claim = work.claim
            if (claim.handler, claim.topic, claim.key) in claimed.blocked and marks.is_blocked(
                self._alias, claim
            ):
                if not marks.is_marked(self._alias, claim):
                    self._letters.follow(work.message, work.subscription, now=self._now())
                continue
            free.append(work)
        return _each_once(free, claimed.fresh)


@contextmanager
def caused_by(event: Event) -> Iterator[None]:
    """Within a batch handler: what is recorded in the block was caused by this event."""
    with _bound(_batch.get()[event.event_id]):
        yield


def _each_once(works: Iterable[Work], wanted: set[tuple[str, UUID]]) -> list[Work]:
    """The wanted works in their order; the same event may be twice in one batch."""
    left = set(wanted)
    found = []
    for work in works:
        identity = (work.claim.handler, work.claim.event_id)
        if identity in left:
            left.remove(identity)
            found.append(work)
    return found


def _by_handler(works: Sequence[Work]) -> Iterable[list[Work]]:
    groups: dict[str, list[Work]] = {}
    for work in works:
        groups.setdefault(work.subscription.label, []).append(work)
    return groups.values()


def _run(works: list[Work]) -> None:
    """Call one handler with its events."""
    subscription = works[0].subscription
    if not subscription.batch:
        for work in works:
            with _bound(work.envelope):
                subscription.function(work.event)
        return
    token = _batch.set({work.envelope.event_id: work.envelope for work in works})
    try:
        # Sorted by key, so that handlers which lock row by row do it in one order everywhere;
        # the sort is stable, so the order within a key stays.
        subscription.function([w.event for w in sorted(works, key=lambda w: w.envelope.key)])
    finally:
        _batch.reset(token)


@contextmanager
def _bound(envelope: Envelope) -> Iterator[None]:
    token = correlation.enter(
        Correlation(
            correlation_id=envelope.correlation_id or str(envelope.event_id),
            causation_id=str(envelope.event_id),
            traceparent=correlation.next_traceparent(envelope.traceparent),
        )
    )
    try:
        yield
    finally:
        correlation.leave(token)


def _count(works: Iterable[Work]) -> None:
    counts: dict[str, int] = defaultdict(int)
    for work in works:
        counts[work.claim.handler] += 1
    for label, count in counts.items():
        metrics.HANDLED.labels(label).inc(count)
