from django.apps import AppConfig


class SampleConfig(AppConfig):
    """A small aggregate with every kind of field, so that the building blocks are tested alone."""

    name = "tests.support.sample"
    label = "sample"
