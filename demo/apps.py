from django.apps import AppConfig


class DemoConfig(AppConfig):
    """Only for its command: the demo has no models and nothing in the shop knows it."""

    name = "demo"
