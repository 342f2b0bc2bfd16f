"""What all installations share; files and tasks are modules of their own.

Secrets and addresses come from the environment, without defaults: `local` and `test` get theirs
from the embedded stack, production from its operator.
"""

from __future__ import annotations

from typing import Any

from config.contexts import CONTEXT_OF_APP, CONTEXTS  # noqa: F401  (settings for infrastructure)
from config.settings.environment import PUBLIC_URL, env
from config.settings.files import *  # noqa: F403
from config.settings.invoices import *  # noqa: F403
from config.settings.orders import *  # noqa: F403
from config.settings.payments import *  # noqa: F403
from config.settings.pricing import *  # noqa: F403
from config.settings.tasks import *  # noqa: F403
from infrastructure.auth.keys import fault_in
from infrastructure.database.urls import databases_from, replicas_from
from infrastructure.http.policies import faults_in

# --- This installation -----------------------------------------------------------------------

ENVIRONMENT = "base"
DEBUG = False
SECRET_KEY = env.text("SECRET_KEY")
SECRET_KEY_FALLBACKS = env.items("SECRET_KEY_FALLBACKS", [])
ALLOWED_HOSTS = env.items("ALLOWED_HOSTS")
DEFAULT_CURRENCY = env.text("DEFAULT_CURRENCY", "GBP")
# In which languages goods are told of; texts of the default one stand in for those that lack.
DEFAULT_LOCALE = env.text("DEFAULT_LOCALE", "en")
LOCALES = env.items("LOCALES", ["en", "de", "es", "fr", "ru"])
env.require(DEFAULT_LOCALE in LOCALES, "DEFAULT_LOCALE is not one of LOCALES")
# What finds products; docs/search.md says what another one has to do.
SEARCH_ENGINE = env.text("SEARCH_ENGINE", "domains.products.queries.search.postgres.PostgresSearch")

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
        "-c plan_cache_mode=force_generic_plan -c jit=off -c statement_timeout=30s"
        " -c idle_in_transaction_session_timeout=30s",
    ),
    "connect_timeout": env.integer("DATABASE_CONNECT_TIMEOUT_SECONDS", 5),
    "application_name": env.text("ROLE", "kontor"),
}
_connections = {
    "CONN_MAX_AGE": env.integer("DATABASE_CONNECTION_SECONDS", 600),
    "CONN_HEALTH_CHECKS": True,
    "OPTIONS": _database_options,
}
DATABASES, ALIAS_OF_CONTEXT = databases_from(
    env.text("DATABASE_URL") or "postgresql:///",
    env.texts(f"{context.upper()}_DATABASE_URL" for context in CONTEXTS),
    CONTEXTS,
    **_connections,
)
# Standbys that reads may go to; of a context's own server: <CONTEXT>_DATABASE_REPLICA_URLS.
_replica_urls = {
    alias: env.items(f"{prefix}DATABASE_REPLICA_URLS", [])
    for alias in DATABASES
    for prefix in ["" if alias == "default" else f"{alias.upper()}_"]
}
_replicas, REPLICAS = replicas_from(DATABASES, _replica_urls, **_connections)
DATABASES |= _replicas
# A standby that is further behind than this is not read.
REPLICA_MAX_LAG_SECONDS = env.number("REPLICA_MAX_LAG_SECONDS", 10.0)
# Contexts whose public reads are cached: their writes answer with a token in any installation.
CACHED_CONTEXTS = ("products",)
DATABASE_ROUTERS = ["infrastructure.database.contexts.ContextRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Redis and Kafka -------------------------------------------------------------------------

REDIS_URL = env.text("REDIS_URL")
REDIS_CACHE_URL = env.text("REDIS_CACHE_URL", REDIS_URL)
CELERY_BROKER_URL = env.text("CELERY_BROKER_URL", REDIS_URL)
REDIS_CARTS_URL = env.text("REDIS_CARTS_URL", REDIS_URL)
CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_CACHE_URL,
        "OPTIONS": {"SOCKET_CONNECT_TIMEOUT": 1, "SOCKET_TIMEOUT": 1, "IGNORE_EXCEPTIONS": True},
        "KEY_PREFIX": "kontor",
    }
}

# Answers of public reads, in the memory of each web process and in Redis; see docs/caching.md.
CACHE_ENABLED = env.flag("CACHE_ENABLED", True)
# Whether what is in memory is answered before Django.
CACHE_FRONT = env.flag("CACHE_FRONT", True)
# How long an answer is kept, if nobody says that it changed.
CACHE_SECONDS = env.integer("CACHE_SECONDS", 30)
CACHE_L1_ENTRIES = env.integer("CACHE_L1_ENTRIES", 20_000)
CACHE_L1_BYTES = env.integer("CACHE_L1_BYTES", 64 * 1024 * 1024)
CACHE_REDIS_TIMEOUT_SECONDS = env.number("CACHE_REDIS_TIMEOUT_SECONDS", 0.1)
# Apart installations may share a Redis.
CACHE_PREFIX = env.text("CACHE_PREFIX", "kontor")
env.require(CACHE_SECONDS > 0, "CACHE_SECONDS must be at least 1")

KAFKA_BOOTSTRAP_SERVERS = env.text("KAFKA_BOOTSTRAP_SERVERS")
# Further librdkafka settings for every client, such as security.protocol and sasl.*.
KAFKA_CLIENT_SETTINGS = env.mapping("KAFKA_CLIENT_SETTINGS", {})
# Apart installations, and test runs, may share a broker.
KAFKA_TOPIC_PREFIX = env.text("KAFKA_TOPIC_PREFIX", "")
KAFKA_GROUP_PREFIX = env.text("KAFKA_GROUP_PREFIX", KAFKA_TOPIC_PREFIX)
KAFKA_REPLICATION_FACTOR = env.integer("KAFKA_REPLICATION_FACTOR", 3)
# `consumer` is KIP-848, `classic` is cooperative-sticky; `auto` takes the first the broker has.
KAFKA_GROUP_PROTOCOL = env.text("KAFKA_GROUP_PROTOCOL", "auto")
env.require(
    KAFKA_GROUP_PROTOCOL in ("auto", "consumer", "classic"),
    "KAFKA_GROUP_PROTOCOL must be auto, consumer or classic",
)

# --- Roles that serve no HTTP ----------------------------------------------------------------

# Where relay and consumer serve their metrics; 0 for nowhere.
METRICS_PORT = env.integer("METRICS_PORT", 0)
# A file that relay, consumer, worker and beat touch about once per second while they make progress;
# empty for none.
HEARTBEAT_FILE = env.text("HEARTBEAT_FILE", "")

# --- Carts -----------------------------------------------------------------------------------

# How many replicas must have a change on their disks before it is answered, and before its fact is
# told; within 200 ms, or else it is `cart_not_durable`.
CARTS_REPLICAS = env.integer("CARTS_REPLICAS", 0)
CARTS_TIMEOUT_SECONDS = env.number("CARTS_TIMEOUT_SECONDS", 1.0)
# How long a cart is kept that nobody touches: a guest's, a customer's.
CART_GUEST_DAYS = env.integer("CART_GUEST_DAYS", 30)
CART_CUSTOMER_DAYS = env.integer("CART_CUSTOMER_DAYS", 90)
# How long it is known of a cart that is gone what became of it.
CART_TOMBSTONE_DAYS = env.integer("CART_TOMBSTONE_DAYS", 180)
env.require(
    min(CART_GUEST_DAYS, CART_CUSTOMER_DAYS) >= 1 and CART_TOMBSTONE_DAYS >= CART_CUSTOMER_DAYS,
    "CART_GUEST_DAYS, CART_CUSTOMER_DAYS must be 1 or more, CART_TOMBSTONE_DAYS no less than them",
)
# How long goods stay held for a cart, once somebody asked for it.
CART_HOLD_SECONDS = env.integer("CART_HOLD_SECONDS", 900)
env.require(0 < CART_HOLD_SECONDS <= 86_400, "CART_HOLD_SECONDS must be 1 to 86400")
# The outboxes in Redis: what begins their tags -> where they are, and by how many replicas an
# entry must be kept before it is told.
STREAM_OUTBOXES = {"c": {"url": REDIS_CARTS_URL, "replicas": CARTS_REPLICAS}}

# --- Django ----------------------------------------------------------------------------------

INSTALLED_APPS = [
    "infrastructure",
    *(f"domains.{context}" for context in CONTEXTS),
    "infrastructure.staff_site.StaffSiteConfig",
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
FORMAT_MODULE_PATH = "config.formats"

STATIC_URL = "/static/"
# Only for `collectstatic`, where something else than the application serves them.
STATIC_ROOT = env.text("STATIC_ROOT", "") or None

AUTH_USER_MODEL = "users.User"

# --- HTTP ------------------------------------------------------------------------------------

ADMIN_PATH = env.text("ADMIN_PATH", "/admin/")
API_DOCS_PATH = "/api/docs/"
env.require(
    ADMIN_PATH.startswith("/") and ADMIN_PATH.endswith("/") and len(ADMIN_PATH) > 2,
    "ADMIN_PATH must begin and end with a slash",
)

# The staff middlewares do nothing outside the admin: the API is called with tokens, not cookies.
MIDDLEWARE = [
    "infrastructure.http.middleware.Edge",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "infrastructure.http.middleware.StaffSession",
    "infrastructure.http.middleware.StaffCsrf",
    "infrastructure.http.middleware.StaffAuthentication",
    "infrastructure.http.middleware.StaffMessages",
]
# Static files of installed packages are served from where they are; nothing has to be collected.
WHITENOISE_USE_FINDERS = True
WHITENOISE_MAX_AGE = 3600

DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576
SECURE_HSTS_SECONDS = 0
# Plain HTTP is refused and not redirected: a token that came that way was readable for others, and
# a client that is redirected would go on sending it.
HTTPS_ONLY = False
# How many proxies of ours stand in front; each appends to X-Forwarded-For.
TRUSTED_PROXIES = env.integer("TRUSTED_PROXIES", 0)
# Who may read /metrics, if the request came through no proxy.
METRICS_NETWORKS = env.items(
    "METRICS_NETWORKS", ["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128"]
)

# Policy -> requests in a window, per caller; None is no limit.
# RATE_LIMITS="login=50/min,search=off" overrides single ones.
RATE_LIMITS: dict[str, str | None] = {
    "default": "600/min",
    "anonymous": "60/min",
    "register": "10/h",
    "login": "20/min",
    "login_account": "5/min",
    "refresh": "30/min",
    "checkout": "10/min",
    # Per e-mail address that a guest gives.
    "guest_order": "10/h",
    # Requests whose body names coupons, which might be guesses: quotes, carts and orders.
    "coupons": "30/min",
    "search": "120/min",
    "carts": "300/min",
    "cart_made": "60/h",
    # What is answered from memory before Django, per caller and process.
    "cached": "6000/min",
    "webhooks": "6000/min",
}
CHOSEN_RATE_LIMITS = {
    name: None if limit == "off" else limit
    for name, limit in env.mapping("RATE_LIMITS", {}).items()
}
for _fault in faults_in(CHOSEN_RATE_LIMITS, known=tuple(RATE_LIMITS)):
    env.refuse(_fault)
RATE_LIMITS |= CHOSEN_RATE_LIMITS
# Counted in the process while Redis is down; all other limits are off then.
RATE_LIMITS_FALL_BACK = ["register", "login", "login_account", "checkout", "guest_order"]

REST_FRAMEWORK: dict[str, Any] = {
    "EXCEPTION_HANDLER": "infrastructure.http.problems.rest_framework_handler",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Kontor",
    "VERSION": "1",
    "DESCRIPTION": (
        "The commerce API. Every error is a problem document (RFC 9457) with a stable code."
    ),
    "LICENSE": {"name": "BSD-3-Clause", "identifier": "BSD-3-Clause"},
    "OAS_VERSION": "3.1.0",
    "SERVERS": [{"url": "/"}],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "POSTPROCESSING_HOOKS": [],
    "APPEND_COMPONENTS": {
        "securitySchemes": {
            "accessToken": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            # What a guest was given with the order.
            "orderToken": {"type": "apiKey", "in": "header", "name": "Order-Token"},
        }
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"validatorUrl": None, "deepLinking": True},
}

# --- Logs ------------------------------------------------------------------------------------

LOGGING_CONFIG = "infrastructure.observability.logging.configure"
LOGGING: dict[str, Any] = {
    "level": env.text("LOG_LEVEL", "INFO"),
    "readable": env.flag("LOG_READABLE", False),
    "fields": {"service": env.text("ROLE", "kontor"), "version": env.text("VERSION", "dev")},
}

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
if JWT_PRIVATE_KEY and (_key_fault := fault_in(JWT_PRIVATE_KEY, JWT_OTHER_KEYS)):
    env.refuse(f"JWT_PRIVATE_KEY or JWT_OTHER_KEYS: {_key_fault}")
JWT_ISSUER = env.text("JWT_ISSUER", PUBLIC_URL)
JWT_AUDIENCE = env.text("JWT_AUDIENCE", "kontor")
ACCESS_TOKEN_SECONDS = env.integer("ACCESS_TOKEN_SECONDS", 600)
env.require(60 <= ACCESS_TOKEN_SECONDS <= 600, "ACCESS_TOKEN_SECONDS must be 60 to 600")

# Finds personal data by equality; 32 random bytes or more, and never the key of anything else.
PII_INDEX_KEY = env.text("PII_INDEX_KEY").encode()
