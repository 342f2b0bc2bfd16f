"""The shop's settings for a benchmark: those of the local stack, with secrets made up here.

`DATABASE_URL`, `REDIS_URL` and `KAFKA_BOOTSTRAP_SERVERS` come from the environment; the database is
one of our own on the same server, made anew.
"""

from __future__ import annotations

import os
import secrets
from urllib.parse import urlsplit
from uuid import uuid4

import django
import psycopg
from confluent_kafka.admin import AdminClient
from django.conf import settings
from django.db import connections
from psycopg import sql

from infrastructure.auth.keys import new_private_key
from infrastructure.kafka.client import client_settings

HOST = "127.0.0.1"
_SUFFIX = "_benchmark"


def enter() -> None:
    """Put the settings into the environment, for this process and those that it starts."""
    missing = [
        name
        for name in ("DATABASE_URL", "REDIS_URL", "KAFKA_BOOTSTRAP_SERVERS")
        if not os.environ.get(name)
    ]
    if missing:
        raise SystemExit(
            f"{', '.join(missing)} is not set. `make bench` starts servers and sets it."
        )
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "config.settings.local",
        "DATABASE_URL": _new_database(os.environ["DATABASE_URL"]),
        "ALLOWED_HOSTS": HOST,
        "PUBLIC_URL": f"http://{HOST}",
        "SECRET_KEY": secrets.token_hex(32),
        "PII_INDEX_KEY": secrets.token_hex(32),
        "ORDER_NUMBER_KEY": secrets.token_hex(32),
        "JWT_PRIVATE_KEY": new_private_key(),
        "PAYMENT_GATEWAY": "in_process",
        "PAYMENT_GATEWAY_URL": f"http://{HOST}:9",
        "PAYMENT_GATEWAY_SECRET": secrets.token_hex(32),
        "KAFKA_REPLICATION_FACTOR": "1",
        "KAFKA_TOPIC_PREFIX": f"bench-{uuid4().hex[:8]}.",
    }


def set_up_django() -> None:
    """In this process only what goes wrong is logged; those that it starts log everything."""
    os.environ["LOG_LEVEL"] = "WARNING"
    django.setup()
    del os.environ["LOG_LEVEL"]


def leave() -> None:
    """Throw away what was made on the servers."""
    admin = AdminClient(client_settings())
    prefix = settings.KAFKA_TOPIC_PREFIX
    topics = [name for name in admin.list_topics(timeout=10).topics if name.startswith(prefix)]
    if topics:
        for future in admin.delete_topics(topics).values():
            future.result()
    connections.close_all()
    url = urlsplit(os.environ["DATABASE_URL"])
    name = url.path.strip("/")
    with psycopg.connect(
        url._replace(path=f"/{name.removesuffix(_SUFFIX)}").geturl(), autocommit=True
    ) as main:
        drop = sql.SQL("DROP DATABASE {}").format(sql.Identifier(name))
        try:
            main.execute(drop + sql.SQL(" WITH (FORCE)"))
        except psycopg.errors.InsufficientPrivilege:
            # Autovacuum is at work there, which only goes out of the way of a drop that waits.
            main.execute(drop)


def _new_database(url: str) -> str:
    parts = urlsplit(url)
    name = f"{parts.path.strip('/')}{_SUFFIX}"
    with psycopg.connect(url, autocommit=True) as main:
        main.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )
        main.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return parts._replace(path=f"/{name}").geturl()
