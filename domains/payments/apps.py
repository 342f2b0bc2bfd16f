from importlib import import_module

from infrastructure.apps import ContextConfig


class PaymentsConfig(ContextConfig):
    name = "domains.payments"
    label = "payments"

    def ready(self) -> None:
        super().ready()
        # It cannot be imported before the models are.
        import_module("domains.payments.queries.metrics")
