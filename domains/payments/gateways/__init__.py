"""The gateways payments can talk to, by the name that is stored with each payment."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from threading import Lock

from django.conf import settings

from domains.payments.gateways.guarded import GuardedGateway
from domains.payments.gateways.in_process import InProcessGateway
from domains.payments.gateways.port import Gateway
from domains.payments.gateways.simulated import SimulatedGateway
from domains.payments.rules.methods import Method
from infrastructure.resilience.bulkhead import Bulkhead
from infrastructure.resilience.circuit import Circuit
from infrastructure.resilience.shared import SharedState
from infrastructure.resilience.states import Policy

# Grants whatever it is asked: for methods and amounts that nobody outside has to approve.
NO_GATEWAY = "none"


def _stripe() -> Gateway:
    # Its library takes a second to load, which is for those who use it.
    from domains.payments.gateways.stripe import StripeGateway

    return StripeGateway()


ADAPTERS: dict[str, Callable[[], Gateway]] = {
    NO_GATEWAY: InProcessGateway,
    "in_process": InProcessGateway,
    "simulated": SimulatedGateway,
    "stripe": _stripe,
}


# What each cannot do without; a gateway that never was set up has nothing to say.
_SETTINGS = {
    "simulated": ("PAYMENT_GATEWAY_URL", "PAYMENT_GATEWAY_SECRET"),
    "stripe": ("STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET"),
}
_SIGNATURE_HEADERS = {"simulated": "Gateway-Signature", "stripe": "Stripe-Signature"}


def gateway_name_for(method: Method, *, amount_minor: int) -> str:
    """Which gateway a new payment goes to."""
    asks_nobody = not method.needs_gateway or amount_minor == 0
    return NO_GATEWAY if asks_nobody else str(settings.PAYMENT_GATEWAY)


_connected: dict[str, Gateway] = {}
_connecting = Lock()


def is_set_up(name: str) -> bool:
    """Whether there is such a gateway, and the settings say how to reach and to believe it."""
    return name in ADAPTERS and all(getattr(settings, each) for each in _SETTINGS.get(name, ()))


def gateway_named(name: str) -> Gateway:
    """The adapter behind its guards, one per process: it holds the pooled connections. Raises
    KeyError. Calls raise PaymentsUnavailable, too, where nothing was sent."""
    if name not in _connected:
        with _connecting:  # threads that come first together must not open a pool each
            if name not in _connected:
                gateway = ADAPTERS[name]()
                is_local = isinstance(gateway, InProcessGateway)
                _connected[name] = gateway if is_local else _guarded(name, gateway)
    return _connected[name]


def signature_header_of(name: str) -> str:
    """The HTTP header in which this gateway signs its notifications; empty if there is none."""
    return _SIGNATURE_HEADERS.get(name, "")


def admitted(name: str) -> AbstractContextManager[None]:
    """Around everything that writes a request as sent and then sends it: raises
    PaymentsUnavailable before, or lets both happen. Raises KeyError."""
    gateway = gateway_named(name)
    return gateway.admitted() if isinstance(gateway, GuardedGateway) else nullcontext()


def unavailable_for_s(name: str) -> int:
    """For how many seconds nobody may call the gateway, as far as is known; 0 when all is well."""
    gateway = gateway_named(name)
    return gateway.unavailable_for_s() if isinstance(gateway, GuardedGateway) else 0


def disconnect() -> None:
    """Forget the adapters and close their connections; the next use makes them anew."""
    for gateway in _connected.values():
        if isinstance(gateway, GuardedGateway):
            gateway.close()
    _connected.clear()


def _guarded(name: str, gateway: Gateway) -> GuardedGateway:
    state = SharedState(
        f"gateway:{name}",
        Policy(
            failures=settings.PAYMENT_CIRCUIT_FAILURES,
            rest_s=settings.PAYMENT_CIRCUIT_REST_SECONDS,
        ),
        url=settings.REDIS_CACHE_URL,
        prefix=settings.CACHE_PREFIX,
        timeout_s=settings.CACHE_REDIS_TIMEOUT_SECONDS,
    )
    return GuardedGateway(
        name,
        gateway,
        circuit=Circuit(f"gateway_{name}", state),
        bulkhead=Bulkhead(
            f"gateway_{name}",
            places=settings.PAYMENT_GATEWAY_CONCURRENCY,
            waiting=settings.PAYMENT_GATEWAY_MAX_WAITING,
            wait_s=settings.PAYMENT_GATEWAY_MAX_WAIT_SECONDS,
        ),
    )
