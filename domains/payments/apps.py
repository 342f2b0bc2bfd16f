from infrastructure.apps import ContextConfig


class PaymentsConfig(ContextConfig):
    name = "domains.payments"
    label = "payments"
