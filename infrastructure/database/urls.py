"""DATABASES from the environment: one database, or one per context."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import environ

Databases = dict[str, dict[str, Any]]


def databases_from(
    main: str, moved: Mapping[str, str], contexts: Iterable[str], **common: Any
) -> tuple[Databases, dict[str, str]]:
    """Django's DATABASES, and the alias that each context uses.

    Every context is on the main URL unless a variable <CONTEXT>_DATABASE_URL in `moved` says
    otherwise. Equal URLs share one alias: two aliases for one database would be two connections,
    and in tests two databases.
    """
    databases = {"default": _parse(main, common)}
    alias_by_url = {main: "default"}
    alias_of_context = {}
    for context in contexts:
        url = moved.get(f"{context.upper()}_DATABASE_URL", main)
        alias = alias_by_url.setdefault(url, context)
        alias_of_context[context] = alias
        if alias not in databases:
            databases[alias] = _parse(url, common)
    return databases, alias_of_context


def _parse(url: str, common: Mapping[str, Any]) -> dict[str, Any]:
    if not url.startswith(("postgresql://", "postgres://")):
        raise ValueError("A database URL must look like postgresql://user:password@host:5432/name")
    settings = environ.Env.db_url_config(url)
    options = {**common.get("OPTIONS", {}), **settings.get("OPTIONS", {})}
    return {
        **settings,
        **common,
        "ENGINE": "infrastructure.database.postgresql",
        "OPTIONS": options,
    }
