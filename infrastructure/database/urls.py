"""DATABASES from the environment: one database, or one per context, and their standbys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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


def replicas_from(
    databases: Databases, urls: Mapping[str, Sequence[str]], **common: Any
) -> tuple[Databases, dict[str, tuple[str, ...]]]:
    """Further DATABASES for standbys, by the alias whose standbys they are; and their aliases."""
    found: Databases = {}
    aliases: dict[str, tuple[str, ...]] = {}
    for alias, replica_urls in urls.items():
        names = [f"{alias}_replica_{number}" for number, _ in enumerate(replica_urls, 1)]
        for name, url in zip(names, replica_urls, strict=True):
            # In tests a standby is its primary, which Django calls a mirror.
            found[name] = {**_parse(url, common), "TEST": {"MIRROR": alias}}
        if names:
            aliases[alias] = tuple(names)
    return found, aliases


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
