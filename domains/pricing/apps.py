from infrastructure.apps import ContextConfig


class PricingConfig(ContextConfig):
    name = "domains.pricing"
    label = "pricing"
