"""The bounded contexts, and which Django app's tables live with which of them.

A context's name is its Django app label, its Postgres schema and, in upper case, the prefix of its
`<CONTEXT>_DATABASE_URL`.
"""

from __future__ import annotations

PLATFORM = "platform"

CONTEXTS = ("users", "products", "payments", "pricing", "carts", "orders", "reporting")

# Django's identity tables point at each other, so they live with the users. `migrations` is the app
# label of Django's own table of applied migrations.
CONTEXT_OF_APP = {
    **{context: context for context in CONTEXTS},
    "auth": "users",
    "admin": "users",
    "contenttypes": "users",
    "sessions": "users",
    "migrations": PLATFORM,
    PLATFORM: PLATFORM,
}
