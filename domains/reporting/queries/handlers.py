"""Follows every event from its topic to the marks of its handlers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings

from domains.reporting.rules.findings import Check, Finding
from infrastructure.database.contexts import alias_of, aliases
from infrastructure.events.codec import can_read, is_known
from infrastructure.events.envelope import Envelope, Message
from infrastructure.events.subscriptions import SUBSCRIPTIONS, Subscription
from infrastructure.inbox import marks
from infrastructure.inbox.hearing import Heard, Place, Promise, Promises, heard_by
from infrastructure.inbox.marks import Claim
from infrastructure.inbox.models import DeadLetter

_CHUNK = 1000
# The resolution of a dead letter that has none.
OPEN = ""


@dataclass(frozen=True, slots=True)
class Unhandled:
    """An event on its topic that a handler has no mark for."""

    claim: Claim
    place: Place
    sequence: int
    name: str
    occurred_at: datetime

    @property
    def identity(self) -> tuple[str, UUID]:
        return (self.claim.handler, self.claim.event_id)

    @property
    def heard(self) -> Heard:
        return Heard(self.claim.handler, self.name, self.place.topic)


class HandlerBooks:
    """What every handler should have handled, and what of it has no mark.

    A handler is to have what comes after its group began to hear it for the handler; what went by
    before is not missed, and counted. What nobody has begun to hear is a difference of its own.
    """

    def __init__(self) -> None:
        self._subscriptions: dict[str, list[Subscription]] = defaultdict(list)
        for subscriptions in SUBSCRIPTIONS.values():
            for subscription in subscriptions:
                if subscription.context in settings.CONTEXTS:
                    self._subscriptions[subscription.event_class.name].append(subscription)
        self._unhandled: dict[tuple[str, UUID], Unhandled] = {}
        self._expected = 0
        self._gone_by = 0
        self.look_again()

    def look_again(self) -> None:
        """See what the groups have begun to hear meanwhile."""
        self._promises = Promises(aliases())

    def take(self, events: Iterable[tuple[Message, Envelope]]) -> None:
        """Events whose marks are kept still."""
        waiting: dict[str, list[Unhandled]] = defaultdict(list)
        for message, envelope in events:
            place = Place(message.topic, message.partition, message.offset)
            for subscription in self._listening_to(envelope):
                claim = Claim(subscription.label, message.topic, envelope.key, envelope.event_id)
                one = Unhandled(
                    claim, place, envelope.sequence, envelope.name, envelope.occurred_at
                )
                if self._promises.about(one.heard, place) == Promise.NONE:
                    self._gone_by += 1
                    continue
                self._expected += 1
                waiting[subscription.context].append(one)
        for context, found in waiting.items():
            fresh = marks.look(alias_of(context), [one.claim for one in found]).fresh
            self._unhandled.update((one.identity, one) for one in found if one.identity in fresh)

    def lag(self) -> dict[str, int]:
        """Handler -> how many events it still has to handle. None of them has a dead letter."""
        behind: Counter[str] = Counter()
        for one, resolution in self._left():
            if resolution is None:
                behind[one.claim.handler] += 1
        return dict(sorted(behind.items()))

    def not_begun(self) -> list[Heard]:
        """What is listened to in the code, and no group has ever begun to hear."""
        wanted = {heard for context in settings.CONTEXTS for heard in heard_by(context)}
        not_begun = (heard for heard in wanted if not self._promises.has_begun(heard))
        return sorted(not_begun, key=lambda heard: (heard.handler, heard.event))

    def compare(self, *, due: datetime) -> Check:
        """One mark for every event. What occurred after `due` is in flight."""
        check = Check(name="handled", about="events: one mark of every subscriber")
        given_up = 0
        unheard: dict[Heard, list[Unhandled]] = {heard: [] for heard in self.not_begun()}
        for one, resolution in self._left():
            if resolution == DeadLetter.Resolution.DROPPED:
                given_up += 1
            elif resolution == OPEN:
                pass  # a difference of its own
            elif self._promises.about(one.heard, one.place) == Promise.OPEN:
                unheard.setdefault(one.heard, []).append(one)
            else:
                check.take(_missing(one, resolution, due))
        check.take_all(_not_heard(heard, waiting, due) for heard, waiting in unheard.items())
        check.rows = self._expected
        notes = []
        if given_up:
            notes.append(f"{given_up} were given up by an operator")
        if self._gone_by:
            notes.append(f"{self._gone_by} went by before their handler began to listen")
        check.note = ", ".join(notes)
        return check

    def _listening_to(self, envelope: Envelope) -> Iterator[Subscription]:
        for subscription in self._subscriptions.get(envelope.name, ()):
            # A version published beside the one that is listened to is not for this handler.
            if can_read(subscription.event_class, envelope.version) or not is_known(
                envelope.name, envelope.version
            ):
                yield subscription

    def _left(self) -> Iterator[tuple[Unhandled, str | None]]:
        """What has no mark yet, with the resolution of its dead letter (None: it has none)."""
        self.look_again()
        waiting = list(self._unhandled.values())
        for start in range(0, len(waiting), _CHUNK):
            chunk = waiting[start : start + _CHUNK]
            left = self._drop_handled(self._drop_gone_by(chunk))
            letters = _letters_of([one.claim.event_id for one in left])
            for one in left:
                yield one, letters.get(one.identity)

    def _drop_gone_by(self, chunk: Iterable[Unhandled]) -> list[Unhandled]:
        """Forget what a handler that began meanwhile does not hear any more."""
        left = []
        for one in chunk:
            if self._promises.about(one.heard, one.place) == Promise.NONE:
                del self._unhandled[one.identity]
                self._expected -= 1
                self._gone_by += 1
            else:
                left.append(one)
        return left

    def _drop_handled(self, chunk: list[Unhandled]) -> list[Unhandled]:
        """Forget those that have their mark by now. Returns the others."""
        claims: dict[str, list[Claim]] = defaultdict(list)
        for one in chunk:
            claims[alias_of(one.claim.handler.partition(".")[0])].append(one.claim)
        fresh: set[tuple[str, UUID]] = set()
        for alias, some in claims.items():
            fresh |= marks.look(alias, some).fresh
        left = []
        for one in chunk:
            if one.identity in fresh:
                left.append(one)
            else:
                del self._unhandled[one.identity]
        return left


def _missing(one: Unhandled, resolution: str | None, due: datetime) -> Finding:
    detail = f"no mark for {one.name} {one.sequence} of {one.claim.key}"
    if resolution is not None:
        detail += f", though its dead letter is {resolution}"
    return Finding(
        subject=f"{one.claim.handler} {one.claim.event_id}",
        detail=detail,
        in_flight=one.occurred_at > due,
    )


def _not_heard(heard: Heard, waiting: list[Unhandled], due: datetime) -> Finding:
    where = sorted({one.place.partition for one in waiting})
    detail = "no consumer has begun to hear it"
    if where:
        partitions = ", ".join(map(str, where))
        detail += f" in {heard.topic} {partitions}, where {len(waiting)} wait"
    return Finding(
        subject=f"{heard.handler} {heard.event}",
        detail=detail,
        in_flight=bool(waiting) and all(one.occurred_at > due for one in waiting),
    )


def open_letters() -> Check:
    """The dead letters that nobody has resolved; each is a difference."""
    check = Check(name="dead letters", about="events that a handler could not handle")
    for alias in aliases():
        letters = DeadLetter.objects.using(alias)
        check.rows += letters.count()
        for letter in letters.filter(resolution=OPEN).order_by("id").iterator(chunk_size=_CHUNK):
            reason = (
                f"{letter.error_class}: {letter.error}"
                if letter.error_class
                else ("waits behind an earlier one of its key")
            )
            check.take(
                Finding(
                    subject=f"{letter.handler} {letter.event_id}",
                    detail=f"{letter.topic} {letter.key}: {reason}",
                )
            )
    return check


def _letters_of(event_ids: list[UUID]) -> dict[tuple[str, UUID], str]:
    return {
        (handler, event_id): resolution
        for alias in aliases()
        for handler, event_id, resolution in DeadLetter.objects.using(alias)
        .filter(event_id__in=event_ids)
        .values_list("handler", "event_id", "resolution")
    }
