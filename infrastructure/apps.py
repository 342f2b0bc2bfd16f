"""The building blocks as a Django app, and the base of every context's app."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from django.apps import AppConfig
from django.core.cache import close_caches
from django.core.signals import request_finished


class PlatformConfig(AppConfig):
    name = "infrastructure"
    label = "platform"
    verbose_name = "Platform"
    default = True

    def ready(self) -> None:
        # Nothing goes through Django's cache that would have to be closed after each request.
        request_finished.disconnect(close_caches)
        # It cannot be imported before the models are.
        import_module("infrastructure.operations.metrics")


class ContextConfig(AppConfig):
    """Loads what a context publishes, what it listens to, and the long work it can do."""

    # A module that imports this class must not make Django choose between two: without a default
    # it would take neither, and fall back to an AppConfig that loads nothing.
    default = False

    def __init_subclass__(cls, **options: object) -> None:
        super().__init_subclass__(**options)
        cls.default = True

    def ready(self) -> None:
        for module in ("events", "handlers", "tasks"):
            if find_spec(f"{self.name}.{module}") is not None:
                import_module(f"{self.name}.{module}")
