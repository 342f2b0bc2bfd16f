from infrastructure.apps import ContextConfig


class OrdersConfig(ContextConfig):
    name = "domains.orders"
    label = "orders"
