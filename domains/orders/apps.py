from importlib import import_module

from infrastructure.apps import ContextConfig


class OrdersConfig(ContextConfig):
    name = "domains.orders"
    label = "orders"

    def ready(self) -> None:
        super().ready()
        # It cannot be imported before the models are.
        import_module("domains.orders.queries.metrics")
