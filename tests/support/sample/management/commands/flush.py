"""What `manage.py flush` is in tests: the end of every test that commits.

Django's own truncates every table and makes all content types and permissions anew, which takes
longer than most of these tests. Here only tables that have rows are truncated, and what follows
from the code alone stays.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.management.commands import flush
from django.db import connections

from domains.products.models.warehouses import ensure_main_warehouse

_EMPTY = """
DO $$
DECLARE
    name text;
    has_rows boolean;
    filled text[] := '{}';
BEGIN
    FOR name IN
        SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
            AND c.relname NOT IN ('django_migrations', 'django_content_type', 'auth_permission')
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s)', name) INTO has_rows;
        IF has_rows THEN
            filled := filled || name;
        END IF;
    END LOOP;
    IF filled <> '{}' THEN
        -- The others that refer to one of them are empty.
        EXECUTE 'TRUNCATE ' || array_to_string(filled, ', ') || ' CASCADE';
    END IF;
END $$
"""


class Command(flush.Command):
    def handle(self, **options: Any) -> None:
        database = options["database"]
        with connections[database].cursor() as cursor:
            cursor.execute(_EMPTY)
        ensure_main_warehouse(apps.get_app_config("products"), using=database)
