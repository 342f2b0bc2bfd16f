"""Which variables of an environment are the shop's: those that its settings read."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from config.contexts import CONTEXTS
from devstack.layout import ROOT


def of_the_shop(environ: Mapping[str, str]) -> dict[str, str]:
    """Only these, under their names or as `<NAME>_FILE`: whatever else a developer's shell knows,
    such as tokens, is none of ours."""
    read = names()
    return {
        name: text
        for name, text in environ.items()
        if name in read or name.removesuffix("_FILE") in read
    }


def not_of_the_shop(environ: Mapping[str, str]) -> dict[str, str]:
    shop = of_the_shop(environ)
    return {name: text for name, text in environ.items() if name not in shop}


# What only some installations are; the other modules are what all of them share.
_KINDS = ("local", "production", "test")


def names() -> set[str]:
    """What the settings ask `env` for. They are parsed and not imported, which takes longer."""
    modules = (ROOT / "config" / "settings").glob("*.py")
    parts = [module for module in modules if module.stem not in _KINDS]
    asked = set()
    for node in (node for part in parts for node in ast.walk(ast.parse(part.read_text()))):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="env")),
                args=[ast.Constant(value=str(name)), *_],
            ):
                asked.add(name)
    return {"DJANGO_SETTINGS_MODULE", "DATABASE_REPLICA_URLS"} | of_one_context() | asked


def of_one_context() -> set[str]:
    """Of contexts that have a server of their own: the settings put these names together."""
    return {
        f"{context.upper()}_{name}"
        for context in CONTEXTS
        for name in ("DATABASE_URL", "DATABASE_REPLICA_URLS")
    }
