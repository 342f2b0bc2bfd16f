"""What all installations share. Secrets and addresses come from the environment, without defaults:
`local` and `test` get theirs from the embedded stack, production from its operator."""

from __future__ import annotations

from pathlib import Path

from config.contexts import CONTEXT_OF_APP, CONTEXTS  # noqa: F401  (settings for infrastructure)
from infrastructure.database.urls import databases_from
from infrastructure.environment import Environment

BASE_DIR = Path(__file__).resolve().parent.parent.parent

env = Environment()

# --- This installation -----------------------------------------------------------------------

ENVIRONMENT = "base"
DEBUG = False
SECRET_KEY = env.text("SECRET_KEY")
SECRET_KEY_FALLBACKS = env.items("SECRET_KEY_FALLBACKS", [])
ALLOWED_HOSTS = env.items("ALLOWED_HOSTS")
PUBLIC_URL = env.text("PUBLIC_URL")
DEFAULT_CURRENCY = env.text("DEFAULT_CURRENCY", "GBP")

# --- Databases -------------------------------------------------------------------------------

# Commands are few texts with many values, so they are bound by the server and prepared at their
# second use, with one plan for all values: planning costs more than running them. An installation
# behind a pooler that cannot keep prepared statements sets DATABASE_PREPARE_THRESHOLD=0.
_prepare = env.integer("DATABASE_PREPARE_THRESHOLD", 2)
_database_options = {
    "server_side_binding": True,
    "prepare_threshold": _prepare or None,
    "options": env.text(
        "DATABASE_SESSION_OPTIONS",
        "-c plan_cache_mode=force_generic_plan -c statement_timeout=30s"
        " -c idle_in_transaction_session_timeout=30s",
    ),
    "connect_timeout": env.integer("DATABASE_CONNECT_TIMEOUT_SECONDS", 5),
    "application_name": env.text("ROLE", "kontor"),
}
DATABASES, ALIAS_OF_CONTEXT = databases_from(
    env.text("DATABASE_URL") or "postgresql:///",
    env.texts(f"{context.upper()}_DATABASE_URL" for context in CONTEXTS),
    CONTEXTS,
    CONN_MAX_AGE=env.integer("DATABASE_CONNECTION_SECONDS", 600),
    CONN_HEALTH_CHECKS=True,
    OPTIONS=_database_options,
)
DATABASE_ROUTERS = ["infrastructure.database.contexts.ContextRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Redis and Kafka -------------------------------------------------------------------------

REDIS_URL = env.text("REDIS_URL")
REDIS_CACHE_URL = env.text("REDIS_CACHE_URL", REDIS_URL)
CELERY_BROKER_URL = env.text("CELERY_BROKER_URL", REDIS_URL)
CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_CACHE_URL,
        "OPTIONS": {"SOCKET_CONNECT_TIMEOUT": 1, "SOCKET_TIMEOUT": 1, "IGNORE_EXCEPTIONS": True},
        "KEY_PREFIX": "kontor",
    }
}

KAFKA_BOOTSTRAP_SERVERS = env.text("KAFKA_BOOTSTRAP_SERVERS")
# Further librdkafka settings for every client, such as security.protocol and sasl.*.
KAFKA_CLIENT_SETTINGS = env.mapping("KAFKA_CLIENT_SETTINGS", {})
# Apart installations, and test runs, may share a broker.
KAFKA_TOPIC_PREFIX = env.text("KAFKA_TOPIC_PREFIX", "")
KAFKA_REPLICATION_FACTOR = env.integer("KAFKA_REPLICATION_FACTOR", 3)

# --- Payments --------------------------------------------------------------------------------

# `simulated`: the HTTP process of devstack/gateway. `in_process`: answers by token, no network.
PAYMENT_GATEWAY = env.text("PAYMENT_GATEWAY", "simulated")
PAYMENT_GATEWAY_URL = env.text("PAYMENT_GATEWAY_URL")
# Signs what is sent to the gateway and what it notifies.
PAYMENT_GATEWAY_SECRET = env.text("PAYMENT_GATEWAY_SECRET")
PAYMENT_GATEWAY_CONNECT_TIMEOUT = env.number("PAYMENT_GATEWAY_CONNECT_TIMEOUT", 1.0)
PAYMENT_GATEWAY_READ_TIMEOUT = env.number("PAYMENT_GATEWAY_READ_TIMEOUT", 3.0)

# --- Django ----------------------------------------------------------------------------------

INSTALLED_APPS = [
    "infrastructure",
    *(f"domains.{context}" for context in CONTEXTS),
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "static"

AUTH_USER_MODEL = "users.User"

MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]

# --- Identity --------------------------------------------------------------------------------

AUTHENTICATION_BACKENDS = ["infrastructure.auth.backend.StaffBackend"]
# E-mail is unique by its blind index, which is what signing in looks it up by.
SILENCED_SYSTEM_CHECKS = ["auth.W004"]

PASSWORD_HASHERS = ["infrastructure.auth.passwords.Argon2idHasher"]
# Hashes computed at once in one process; each takes 46 MiB for a moment.
PASSWORD_HASH_CONCURRENCY = env.integer("PASSWORD_HASH_CONCURRENCY", 2)
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "infrastructure.auth.passwords.LengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "name")},
    },
]

# An Ed25519 key as PKCS#8 PEM, and the PEMs of the keys before and after it.
JWT_PRIVATE_KEY = env.text("JWT_PRIVATE_KEY")
JWT_OTHER_KEYS = env.text("JWT_OTHER_KEYS", "")
JWT_ISSUER = env.text("JWT_ISSUER", PUBLIC_URL)
JWT_AUDIENCE = env.text("JWT_AUDIENCE", "kontor")
ACCESS_TOKEN_SECONDS = env.integer("ACCESS_TOKEN_SECONDS", 600)
env.require(60 <= ACCESS_TOKEN_SECONDS <= 600, "ACCESS_TOKEN_SECONDS must be 60 to 600")

# Finds personal data by equality; 32 random bytes or more, and never the key of anything else.
PII_INDEX_KEY = env.text("PII_INDEX_KEY").encode()
