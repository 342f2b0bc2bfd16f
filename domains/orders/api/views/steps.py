"""What the routes have in common that begin a step of an order."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpResponse

from domains.orders import queries
from domains.orders.api.serializers import steps as serializers
from domains.orders.services.beginning import Begun
from infrastructure.database.contexts import alias_of
from infrastructure.http import idempotency
from infrastructure.http.types import Out
from infrastructure.http.views import APIView


class StepView(APIView):
    """A route that begins a step and answers how far it got."""

    def answer_step(
        self, begun: Begun, *, status: int = 200, made: Callable[[], Out] | None = None
    ) -> HttpResponse:
        """status, made: of a step that is done, and the answer to it where that is not the step
        itself. One that waits for the gateway, for the customer to confirm its payment, or for a
        second person, is 202."""
        if begun.is_done and made is not None:
            answer = made()
        else:
            confirmation = queries.confirmation_of(begun.step)
            answer = serializers.Step.of(begun.order, begun.step, confirmation)
        return self.answer(
            answer,
            status=status if begun.is_done else 202,
            headers=idempotency.replayed(alias_of("orders")) if begun.replayed else {},
        )
