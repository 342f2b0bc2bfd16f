"""The gateways payments can talk to, by the name that is stored with each payment."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from django.conf import settings

from domains.payments.gateways.in_process import InProcessGateway
from domains.payments.gateways.port import Gateway
from domains.payments.gateways.simulated import SimulatedGateway
from domains.payments.rules import Method

# Grants whatever it is asked: for methods and amounts that nobody outside has to approve.
NO_GATEWAY = "none"

ADAPTERS: dict[str, Callable[[], Gateway]] = {
    NO_GATEWAY: InProcessGateway,
    "in_process": InProcessGateway,
    "simulated": SimulatedGateway,
}


def gateway_name_for(method: Method, *, amount_minor: int) -> str:
    """Which gateway a new payment goes to."""
    asks_nobody = not method.needs_gateway or amount_minor == 0
    return NO_GATEWAY if asks_nobody else str(settings.PAYMENT_GATEWAY)


_connected: dict[str, Gateway] = {}
_connecting = Lock()


def gateway_named(name: str) -> Gateway:
    """The adapter, one per process: it holds the pooled connections. Raises KeyError."""
    if name not in _connected:
        with _connecting:  # threads that come first together must not open a pool each
            if name not in _connected:
                _connected[name] = ADAPTERS[name]()
    return _connected[name]


def disconnect() -> None:
    """Forget the adapters; the next use makes them anew."""
    _connected.clear()
