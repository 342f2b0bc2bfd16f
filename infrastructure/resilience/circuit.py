"""The circuit in front of another system: whether to call it at all."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable

import structlog

from infrastructure.resilience import metrics
from infrastructure.resilience.states import Seen, State

log = structlog.get_logger(__name__)

# A closed circuit is believed for so long; what other replicas saw shows after it.
LOOK_EVERY_S = 0.5


class CircuitOpen(Exception):
    """Nothing was sent. retry_after_s: when it is worth trying again."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(f"Not before {retry_after_s:.1f} s.")
        self.retry_after_s = retry_after_s


class Circuit:
    """Any number of threads may use it. A healthy one costs a look into its state twice a second,
    whatever the number of calls."""

    def __init__(
        self,
        name: str,
        state: State,
        *,
        look_every_s: float = LOOK_EVERY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._state = state
        self._look_every_s, self._clock = look_every_s, clock
        self._lock = threading.Lock()
        self._seen, self._seen_at = Seen(), -look_every_s

    def enter(self) -> Pass:
        """Leave to call. Raises CircuitOpen."""
        turn: str | None = None
        seen = self._remembered()
        if seen is None:
            turn = secrets.token_hex(8)
            seen = self._note(self._state.look(turn=turn))
        if seen.wait_s > 0:
            metrics.CALLS.labels(self.name, "refused").inc()
            raise CircuitOpen(seen.wait_s)
        return Pass(self, turn if seen.is_probe else None)

    def wait_s(self) -> float:
        """How long until it is worth calling, 0 for now; takes no turn."""
        seen = self._remembered()
        return (seen or self._note(self._state.look(turn=None), keep=False)).wait_s

    def failed(self, turn: str | None) -> None:
        metrics.CALLS.labels(self.name, "failed").inc()
        was_open = self._seen.wait_s > 0
        seen = self._note(self._state.failed(turn=turn))
        if seen.wait_s > 0 and not was_open:
            metrics.OPENED.labels(self.name).inc()
            log.warning("circuit_opened", circuit=self.name, seconds=round(seen.wait_s, 1))

    def succeeded(self, turn: str | None) -> None:
        metrics.CALLS.labels(self.name, "succeeded").inc()
        if turn is None and not self._seen.failures:
            return
        # Opened by others meanwhile, it stays so for whoever had no turn to try.
        seen = self._note(self._state.succeeded(turn=turn))
        if turn is not None and not seen.wait_s:
            log.info("circuit_closed", circuit=self.name)

    def give_up(self, turn: str) -> None:
        self._state.give_up(turn=turn)

    def _remembered(self) -> Seen | None:
        """What is known well enough to go by; None if the state has to be asked."""
        with self._lock:
            age_s = self._clock() - self._seen_at
            if self._seen.wait_s > 0:
                left_s = self._seen.wait_s - age_s
                # Another replica's turn may end at any time: an open circuit is believed no longer
                # than a closed one.
                if left_s > 0 and age_s < self._look_every_s:
                    return Seen(wait_s=left_s)
                return None
            return self._seen if age_s < self._look_every_s else None

    def _note(self, seen: Seen, *, keep: bool = True) -> Seen:
        # Whoever has the turn to try knows nothing yet, and the others still have to ask.
        if keep and not seen.is_probe:
            with self._lock:
                self._seen, self._seen_at = seen, self._clock()
        metrics.IS_OPEN.labels(self.name).set(seen.wait_s > 0)
        return seen


class Pass:
    """Leave to make a call, or a few that belong together. Say what came of each; `leave` when it
    is over, whatever happened."""

    def __init__(self, circuit: Circuit, turn: str | None) -> None:
        self._circuit, self._turn = circuit, turn

    def succeeded(self) -> None:
        turn, self._turn = self._turn, None
        self._circuit.succeeded(turn)

    def failed(self) -> None:
        turn, self._turn = self._turn, None
        self._circuit.failed(turn)

    def leave(self) -> None:
        if self._turn is not None:
            self._circuit.give_up(self._turn)
            self._turn = None
