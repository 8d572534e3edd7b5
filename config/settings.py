"""One settings module, from the environment only. docs/configuration.md lists every variable."""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import structlog

from config import console, environment
from config.environment import BASE_DIR, env
from config.logs import without_query_strings

VAR_DIR = environment.var_dir()
PORT = environment.port()
PUBLIC_URL = environment.public_url()
SECRET_KEY = environment.secret_key()
FERNET_KEYS = environment.fernet_keys()
# Unset, keys are generated but pages of errors stay plain and no query log grows in long-lived workers.
DEBUG = env.bool("DEBUG", False)
ALLOWED_HOSTS = env.list(
    "ALLOWED_HOSTS",
    default=[str(urlsplit(PUBLIC_URL).hostname), "localhost", "127.0.0.1", "[::1]"]
    if environment.is_production()
    else ["*"],
)
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[PUBLIC_URL])

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",  # before the admin: its templates take the place of the admin's
    "config.console.ConsoleConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "axes",
    "connectors",
    "instances",
    "events",
    "polling",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.api.RequestIdMiddleware",
    "config.usage.UsageMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "config.api.FrameOptionsMiddleware",
    "config.page_security.ContentSecurityPolicyMiddleware",
    "axes.middleware.AxesMiddleware",  # last, as it asks: nothing in front of it may miss what it changes
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# PostgreSQL is the truth. Connections persist: a new one costs more than the work done over it.
_embedded_database = {
    "ENGINE": "django.db.backends.postgresql",
    "NAME": "switchyard",
    "USER": "postgres",
    "HOST": str(environment.socket_directory()),
}
_database: dict[str, Any] = (
    _embedded_database if environment.is_embedding_postgres() else environment.server_of("DATABASE_URL", env.db_url)
)
# A provider whose callback comes while the database is away wants an answer within seconds.
# Statements are prepared where the code asks for it, not because they come often; behind some poolers, never.
_prepare_threshold = None if _database.get("DISABLE_SERVER_SIDE_CURSORS") else 1_000_000
_options = {"connect_timeout": 3, "prepare_threshold": _prepare_threshold, **_database.get("OPTIONS", {})}
DATABASES = {"default": {**_database, "CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True, "OPTIONS": _options}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "instances.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "/console/login/"
LOGIN_REDIRECT_URL = "/console/"
# A day at work. Whoever closes the browser and comes back within it goes on.
SESSION_COOKIE_AGE = int(env.float("SESSION_HOURS", 12.0) * 3600)
# Our proxies: only what they say about where a visitor came from is believed.
TRUSTED_PROXIES = [ipaddress.ip_network(network) for network in env.list("TRUSTED_PROXIES", default=[])]

# Who failed too often is not let in for a while. `instances.sign_in_limits` says how often and how long.
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AXES_HANDLER = "instances.sign_in_limits.SignInLimits"
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"], "username"]
AXES_USERNAME_FORM_FIELD = "username"
AXES_USERNAME_CALLABLE = "instances.sign_in_limits.counted_by"
AXES_CLIENT_IP_CALLABLE = "instances.visitors.address_of"
AXES_LOCKOUT_CALLABLE = "instances.sign_in_limits.answered"
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "next", "csrfmiddlewaretoken"]
AXES_RESET_ON_SUCCESS = True
# Or whoever goes on trying would keep the owner of the address out for good.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

# Valkey or Redis is a doorbell. Celery messages carry ids at most and may be lost, doubled or late without harm.
REDIS_URL = environment.redis_url()
CELERY_BROKER_URL = environment.broker_url()
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    # A commit that rings must not wait for a broker that is away: beat rings again.
    "max_retries": 0,
    "visibility_timeout": 3600,
    "global_keyprefix": env.str("BROKER_KEY_PREFIX", ""),
}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ROUTES = {
    "polling.tasks.*": {"queue": "polling"},
    "events.tasks.deliver": {"queue": "delivery"},
    "events.tasks.*": {"queue": "callbacks"},
    "instances.tasks.*": {"queue": "callbacks"},
}
CELERY_TASK_PUBLISH_RETRY = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_TIMEZONE = "UTC"
# Celery closes Django's connection around every task unless this is set.
CELERY_DB_REUSE_MAX = 1_000_000
SWEEP_SECONDS = env.float("SWEEP_SECONDS", 2.0)
CELERY_BEAT_SCHEDULE = {
    "poll what is due": {
        "task": "polling.tasks.sweep",
        "schedule": env.float("POLL_SWEEP_SECONDS", 1.0),
        "options": {"queue": "polling", "expires": 10},
    },
    "go on with bulk queries": {
        "task": "polling.tasks.sweep_bulk_queries",
        "schedule": SWEEP_SECONDS,
        "options": {"queue": "polling", "expires": 10},
    },
    "run jobs": {
        "task": "polling.tasks.sweep_jobs",
        "schedule": 5.0,
        "options": {"queue": "polling", "expires": 10},
    },
    "forget old results": {
        "task": "polling.tasks.forget_old",
        "schedule": 3600.0,
        "options": {"queue": "polling", "expires": 3600},
    },
    "deliver what is due": {
        "task": "events.tasks.deliver",
        "schedule": SWEEP_SECONDS,
        "options": {"queue": "delivery", "expires": 10},
    },
    "let go what waits for nobody": {
        "task": "events.tasks.tend_lines",
        "schedule": 60.0,
        "options": {"queue": "callbacks", "expires": 60},
    },
    "count what happened": {
        "task": "events.tasks.count_activity",
        "schedule": 60.0,
        "options": {"queue": "callbacks", "expires": 60},
    },
    "forget old events": {
        "task": "events.tasks.prune",
        "schedule": 3600.0,
        "options": {"queue": "callbacks", "expires": 3600},
    },
    "go on with replays": {
        "task": "events.tasks.replay",
        "schedule": min(1.0, SWEEP_SECONDS),
        "options": {"queue": "callbacks", "expires": 5},
    },
    "standardize what waits": {
        "task": "events.tasks.standardize",
        "schedule": SWEEP_SECONDS,
        "options": {"queue": "callbacks", "expires": 10},
    },
    "look after circuits": {
        "task": "events.tasks.tend_circuits",
        "schedule": 60.0,
        "options": {"queue": "callbacks", "expires": 60},
    },
    "keep registrations": {
        "task": "events.tasks.sweep_inboxes",
        "schedule": 5.0,
        "options": {"queue": "callbacks", "expires": 10},
    },
    "forget old calls": {
        "task": "instances.tasks.forget_old_calls",
        "schedule": 3600.0,
        "options": {"queue": "callbacks", "expires": 3600},
    },
    "forget old callbacks": {
        "task": "events.tasks.forget_old",
        "schedule": 3600.0,
        "options": {"queue": "callbacks", "expires": 3600},
    },
}

# Polling
POLL_INTERVAL_FLOOR = env.float("POLL_INTERVAL_FLOOR", 30.0)
POLL_OVERLAP_SECONDS = env.float("POLL_OVERLAP_SECONDS", 120.0)
POLL_FAILURES_BEFORE_DISABLING = env.int("POLL_FAILURES_BEFORE_DISABLING", 100)
# A claim ends by itself after this long. A poll renews it before each page, whose time-out is 30 s.
POLL_LEASE_SECONDS = env.float("POLL_LEASE_SECONDS", 60.0)
# Bulk downloads: what one result may take, what all of an instance may, and how long they can be asked for.
BULK_BYTES_LIMIT = env.int("BULK_BYTES_LIMIT", 256 * 1024 * 1024)
BULK_BYTES_PER_INSTANCE_LIMIT = env.int("BULK_BYTES_PER_INSTANCE_LIMIT", 1024 * 1024 * 1024)
BULK_RESULT_DAYS = env.int("BULK_RESULT_DAYS", 7)
CONNECTWISE_CLIENT_ID = env.str("CONNECTWISE_CLIENT_ID", "")

# Delivery
DELIVERY_CONCURRENCY = env.int("DELIVERY_CONCURRENCY", 200)
DELIVERY_ATTEMPT_SECONDS = env.float("DELIVERY_ATTEMPT_SECONDS", 15.0)
# Within it: until the connection stands, and from then until the first byte of an answer.
DELIVERY_CONNECT_SECONDS = env.float("DELIVERY_CONNECT_SECONDS", 5.0)
DELIVERY_FIRST_BYTE_SECONDS = env.float("DELIVERY_FIRST_BYTE_SECONDS", 10.0)
DELIVERY_LEASE_SECONDS = env.float("DELIVERY_LEASE_SECONDS", 60.0)
# How long events with their deliveries and attempts are kept where an organization says nothing else.
EVENT_RETENTION_DAYS = env.int("EVENT_RETENTION_DAYS", 30)
# How long it can be asked why something became an event, or did not.
TRACE_DAYS = env.int("TRACE_DAYS", 7)

# Mail to owners whose receiver is given up on. Unset, none is sent. A server that hangs holds up one worker so long.
EMAIL_TIMEOUT = 10.0
vars().update(environment.server_of("EMAIL_URL", env.email_url, default="dummymail://"))
DEFAULT_FROM_EMAIL = env.str("EMAIL_FROM", "switchyard@localhost")

# Provider callbacks
CALLBACK_CHECK_SECONDS = env.float("CALLBACK_CHECK_SECONDS", 900.0)
CALLBACK_BODY_LIMIT = env.int("CALLBACK_BODY_LIMIT", 1024 * 1024)
CALLBACKS_WAITING_LIMIT = env.int("CALLBACKS_WAITING_LIMIT", 10_000)
# ConnectWise hangs up after 5 s, and does not come again then. Connecting may come on top.
CALLBACK_STORE_SECONDS = env.float("CALLBACK_STORE_SECONDS", 3.0)

# The egress door: everything private is refused unless it is listed here.
EGRESS_ALLOW_NETWORKS = [ipaddress.ip_network(network) for network in env.list("EGRESS_ALLOW_NETWORKS", default=[])]
EGRESS_CA_BUNDLE = env.str("EGRESS_CA_BUNDLE", "")

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["instances.authentication.SecretAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["instances.authentication.NeedsUserAndOrganization"],
    "DEFAULT_RENDERER_CLASSES": ["config.api.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["config.api.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "config.openapi.operations.DescribedSchema",
    "EXCEPTION_HANDLER": "config.api.exception_handler",
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "rest_framework.negotiation.DefaultContentNegotiation",
    "URL_FORMAT_OVERRIDE": None,
}
# Who called what, for GET /usage.
USAGE_DAYS = env.int("USAGE_DAYS", 7)
# Larger bodies than any notification or instance needs are refused before they are parsed.
DATA_UPLOAD_MAX_MEMORY_SIZE = env.int("REQUEST_BODY_LIMIT", 1024 * 1024)

USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
UNFOLD = console.UNFOLD
# Served from where the packages keep them: nothing to collect.
WHITENOISE_USE_FINDERS = True

SECURE_CONTENT_TYPE_NOSNIFF = True
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PUBLIC_URL.startswith("https://")
SECURE_REFERRER_POLICY = "same-origin"

LOG_LEVEL = env.str("LOG_LEVEL", "INFO").upper()
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": "structlog.stdlib.ProcessorFormatter",
            "foreign_pre_chain": [
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(),
                without_query_strings,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
            ],
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        # Their debug and info lines carry URLs with query strings, task arguments or one line per beat.
        "urllib3": {"level": "WARNING"},
        "celery": {"level": "WARNING"},
        "kombu": {"level": "WARNING"},
        "django.request": {"level": "ERROR"},
        # It tells of failures with what was sent; `instances.sign_in_limits` does in our words.
        "axes": {"level": "ERROR"},
        "django.db.backends": {"level": "INFO"},
    },
}
