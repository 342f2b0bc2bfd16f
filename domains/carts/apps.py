from infrastructure.apps import ContextConfig


class CartsConfig(ContextConfig):
    name = "domains.carts"
    label = "carts"
