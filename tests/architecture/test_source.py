"""Rules about the source text itself."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings

from infrastructure.events.event import PUBLISHED, Event
from infrastructure.events.subscriptions import SUBSCRIPTIONS
from infrastructure.pii.fields import PersonalField

ROOT = Path(__file__).resolve().parent.parent.parent
CONTEXTS = [ROOT / "domains" / context for context in settings.CONTEXTS]
FORBIDDEN_FILES = {"utils.py", "helpers.py", "manager.py", "managers.py", "common.py", "misc.py"}


def sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        for path in (ROOT / folder).rglob("*.py"):
            if "migrations" not in path.parts:
                yield path


@pytest.mark.parametrize("context", CONTEXTS, ids=lambda path: path.name)
def test_a_context_has_its_two_doors_and_tells_what_it_is(context: Path) -> None:
    for name in ("README.md", "apps.py"):
        assert (context / name).exists(), name
    if context.name != "reporting":  # it publishes nothing and nobody calls it
        for name in ("public.py", "events.py", "errors.py"):
            assert (context / name).exists(), name


def test_no_file_is_a_drawer_for_everything() -> None:
    drawers = [
        path
        for path in sources("domains", "infrastructure", "config")
        if path.name in FORBIDDEN_FILES
    ]
    assert drawers == []


def test_models_of_another_context_are_not_fetched_by_name() -> None:
    for path in sources("domains", "infrastructure"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                assert node.func.attr != "get_model", path


def test_a_status_is_assigned_inside_the_model_only() -> None:
    """`order.status = …` outside models and rules would go around the methods that guard it."""
    for path in sources("domains"):
        if path.name.startswith(("models", "rules")) or "models" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in ("status", "state"):
                assert not isinstance(node.ctx, ast.Store), f"{path}:{node.lineno} .{node.attr}"


def test_aggregates_are_saved_by_services_only() -> None:
    for path in sources("domains"):
        # Rules know no aggregate: what they save is a picture, into memory.
        if {"services", "rules"} & {path.stem, *path.parts}:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            called = node.func if isinstance(node, ast.Call) else None
            if isinstance(called, ast.Attribute) and called.attr == "save":
                inside = ast.unparse(called.value)
                assert inside == "super()", f"{path}:{node.lineno} saves {inside}"


def test_every_event_is_a_frozen_fact_with_a_name_of_its_context() -> None:
    for (name, _), event_class in PUBLISHED.items():
        assert issubclass(event_class, Event)
        assert event_class.__dataclass_params__.frozen, name  # type: ignore[attr-defined]
        if event_class.__module__.startswith("domains."):
            assert name.partition(".")[0] == event_class.__module__.split(".")[1]


def test_no_event_has_personal_fields() -> None:
    models = [model._meta.concrete_fields for model in apps.get_models()]
    personal = {
        field.name for fields in models for field in fields if isinstance(field, PersonalField)
    }
    assert personal >= {"address", "billing_address", "email", "name", "shipping_address"}
    for (name, _), event_class in PUBLISHED.items():
        if event_class.__module__.startswith("domains."):
            fields = {field.name for field in dataclasses.fields(event_class)}
            assert not fields & (personal | {"phone"}), name


def test_every_subscriber_is_named_once() -> None:
    for event_class, subscriptions in SUBSCRIPTIONS.items():
        labels = [subscription.label for subscription in subscriptions]
        assert len(labels) == len(set(labels)), event_class
