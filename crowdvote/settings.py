"""Settings of CrowdVote, all of them from the environment. docs/settings.md explains each variable.

They are secure by default: DEBUG is off unless asked for, the secret key is made on first run and kept in the data
directory, hosts and origins are named, and links in mails are built from CROWDVOTE_SITE_URL, never from a request's
Host header.
"""

import contextlib
import hashlib
import os
import re
import secrets
import tempfile
import warnings
from email.utils import formataddr, parseaddr
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from crowdvote.environment import documents, flag, names, number, one_of, origins, whole_number
from crowdvote.serving import private_files

BASE_DIR = Path(__file__).resolve().parent.parent


# --- Where things live ------------------------------------------------------------------------------------------------

_data_dir = os.environ.get("CROWDVOTE_DATA_DIR")
DATA_DIR = Path(_data_dir).resolve() if _data_dir else BASE_DIR / "var"
LOG_DIR = DATA_DIR / "logs" if _data_dir else BASE_DIR / "logs"
MAIL_DIR = DATA_DIR / "mail"
private_files.make_directory(DATA_DIR)
private_files.restrict(LOG_DIR, MAIL_DIR, *LOG_DIR.glob("crowdvote.log*"))

PORT = whole_number("PORT", 8000)
# Seconds that an ending server goes on serving while /readyz says that it is stopping, and that it then waits for
# requests and for calculations under way.
DRAIN = number("CROWDVOTE_DRAIN", 0)
GRACE = number("CROWDVOTE_GRACE", 3)
# Metrics for Prometheus: a web process answers clients with the token at /metrics, a worker all that reach its port.
METRICS_TOKEN = os.environ.get("CROWDVOTE_METRICS_TOKEN", "")
METRICS_HOST = os.environ.get("CROWDVOTE_METRICS_HOST", "127.0.0.1")
METRICS_PORT = whole_number("CROWDVOTE_METRICS_PORT", 0)
METRICS = bool(METRICS_TOKEN or METRICS_PORT)
if METRICS and find_spec("prometheus_client") is None:
    raise ImproperlyConfigured(
        "Metrics (CROWDVOTE_METRICS_TOKEN, _PORT) need the package prometheus-client: install requirements/scaled.txt."
    )
SITE_URL = os.environ.get("CROWDVOTE_SITE_URL", f"http://localhost:{PORT}").rstrip("/")


# Sessions, links and pseudonyms are only as safe as this key.
_SHORTEST_KEY, _FEWEST_CHARACTERS = 32, 8


def _secret_key() -> str:
    """Return the key of the environment, or the one kept in the data directory, made there on first run.

    Raises ImproperlyConfigured for a key that can be guessed.
    """
    if (key := os.environ.get("CROWDVOTE_SECRET_KEY")) is not None:
        if len(key) < _SHORTEST_KEY or len(set(key)) < _FEWEST_CHARACTERS:
            raise ImproperlyConfigured(
                f"CROWDVOTE_SECRET_KEY is too short or too simple to be a secret: give at least {_SHORTEST_KEY} random "
                "characters, or leave it unset and one is made. "
                "python3 -c 'import secrets; print(secrets.token_urlsafe(50))' makes one."
            )
        return key
    path = DATA_DIR / "secret-key"
    private_files.restrict(path)
    if not path.exists():
        # Linked into place once complete, so that processes which start at the same time all read the same key.
        with tempfile.NamedTemporaryFile("w", dir=DATA_DIR, prefix="secret-key-") as file:
            file.write(secrets.token_urlsafe(50))
            file.flush()
            with contextlib.suppress(FileExistsError):
                os.link(file.name, path)
    return path.read_text().strip()


# --- Security ---------------------------------------------------------------------------------------------------------

SECRET_KEY = _secret_key()
# Names this installation's things in services that it may share with others; its processes share the key.
INSTALLATION = hashlib.sha256(b"installation:" + SECRET_KEY.encode()).hexdigest()[:16]
# The key that signs the ledger's checkpoints: 32 bytes, hexadecimal. Made when first needed, unless given.
SIGNING_KEY = os.environ.get("CROWDVOTE_SIGNING_KEY", "").strip()
if SIGNING_KEY and not re.fullmatch(r"[0-9a-fA-F]{64}", SIGNING_KEY):
    raise ImproperlyConfigured(
        "CROWDVOTE_SIGNING_KEY has 64 hexadecimal digits (such as `openssl rand -hex 32` makes)."
    )
DEBUG = flag("CROWDVOTE_DEBUG")
ALLOWED_HOSTS = names("CROWDVOTE_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_FAILURE_VIEW = "crowdvote.pages.views.csrf_failed"
CSRF_TRUSTED_ORIGINS = names("CROWDVOTE_TRUSTED_ORIGINS")
# Origins whose pages may use the API, with a bearer token and never with a cookie.
CORS_ALLOWED_ORIGINS = origins("CROWDVOTE_CORS_ORIGINS")
CORS_URLS_REGEX = r"^/graphql/?$"
CORS_ALLOW_METHODS = ["GET", "OPTIONS", "POST"]
CORS_EXPOSE_HEADERS = ["RateLimit", "RateLimit-Policy", "Retry-After"]
# The number of proxies in front that are believed about the client's address (0: the peer is the client).
TRUSTED_PROXIES = whole_number("CROWDVOTE_TRUSTED_PROXIES", 0)

_https = SITE_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SECURE_SSL_REDIRECT = flag("CROWDVOTE_SSL_REDIRECT")
SECURE_HSTS_SECONDS = whole_number("CROWDVOTE_HSTS_SECONDS", 0)
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if TRUSTED_PROXIES and _https:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF, "data:"],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "manifest-src": [SELF],
    }
}

# --- Application ------------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    # Before the admin, because it replaces one of its templates.
    "crowdvote",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "channels",
    "corsheaders",
    "csp",
    "django_htmx",
    "strawberry_django",
    "accounts",
    "democracy",
]

MIDDLEWARE = [
    "crowdvote.operations.probes.probes",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "crowdvote.serving.answers.private_answers",
    "crowdvote.serving.answers.readable_requests",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.middleware.bearer_tokens",
    "accounts.returning.same_viewer",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

if METRICS:
    MIDDLEWARE.insert(1, "crowdvote.operations.metrics.requests")

# For development, if its requirements are installed.
DEBUG_TOOLBAR = DEBUG and find_spec("debug_toolbar") is not None
if DEBUG_TOOLBAR:
    INSTALLED_APPS.append("debug_toolbar")
    # After the middleware for static files, which it would record, too.
    MIDDLEWARE.insert(
        MIDDLEWARE.index("crowdvote.serving.answers.private_answers"), "debug_toolbar.middleware.DebugToolbarMiddleware"
    )
    INTERNAL_IPS = ["127.0.0.1", "::1"]
    # The toolbar recognises tests by a mark that servers inherit when tests start them.
    DEBUG_TOOLBAR_CONFIG = {"IS_RUNNING_TESTS": False, "SHOW_COLLAPSED": True}

ROOT_URLCONF = "crowdvote.urls"
ASGI_APPLICATION = "crowdvote.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
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

# --- Database ---------------------------------------------------------------------------------------------------------

DATABASES = {
    "default": dj_database_url.config(
        env="DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'crowdvote.sqlite3'}", conn_health_checks=True
    )
}
EMBEDDED = DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3"
if EMBEDDED:
    # IMMEDIATE makes writers queue instead of failing, WAL lets readers go on, FULL keeps an acknowledged vote
    # through a power cut.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }
    # Seconds for which a thread keeps its connection: opening one takes as long as many a request.
    DATABASES["default"]["CONN_MAX_AGE"] = 60
    DATABASES["default"]["TEST"] = {"NAME": DATA_DIR / "test.sqlite3"}
else:
    # The driver pools connections; Django then requires CONN_MAX_AGE 0.
    DATABASES["default"]["CONN_MAX_AGE"] = 0
    _given = DATABASES["default"].get("OPTIONS", {})
    DATABASES["default"]["OPTIONS"] = {
        **_given,
        # Compiling a query can take PostgreSQL seconds when running it takes milliseconds.
        "options": f"{_given.get('options', '')} -c jit=off".strip(),
        "pool": {"min_size": 1, "max_size": whole_number("CROWDVOTE_DB_POOL", 16)},
    }

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- People -----------------------------------------------------------------------------------------------------------

_NEEDS_SIGN_IN = "install requirements/sign-in.txt."

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "accounts.backends.SignInLinkBackend",
    "accounts.backends.DemoBackend",
    "accounts.backends.ProviderBackend",
    "accounts.backends.PasskeyBackend",
]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"
SESAME_MAX_AGE = 15 * 60
SESAME_ONE_TIME = True
SESAME_INVALIDATE_ON_EMAIL_CHANGE = True
SESAME_TOKENS = ["sesame.tokens_v2"]
SESAME_SIGNATURE_SIZE = 16
# The most within RATE_LIMIT_SECONDS: sign-in links for one e-mail address, and for one client, which may be a hall of
# people behind one network address; failed links and tokens of one client.
SIGN_IN_LIMIT_PER_ADDRESS = whole_number("CROWDVOTE_SIGN_IN_PER_ADDRESS", 5)
SIGN_IN_LIMIT_PER_CLIENT = whole_number("CROWDVOTE_SIGN_IN_PER_CLIENT", 1_000)
FAILURES_PER_CLIENT = 30
RATE_LIMIT_SECONDS = 15 * 60
# Anybody may sign in as a person of the demo, without a mail. Only for the embedded default.
DEMO_SIGN_IN = EMBEDDED and flag("CROWDVOTE_DEMO_SIGN_IN")

# A provider of OpenID Connect whose word for an address counts as much as the address's mail.
OIDC_ISSUER = os.environ.get("CROWDVOTE_OIDC_ISSUER", "").strip()
OIDC_CLIENT_ID = os.environ.get("CROWDVOTE_OIDC_CLIENT_ID", "").strip()
OIDC_CLIENT_SECRET = os.environ.get("CROWDVOTE_OIDC_CLIENT_SECRET", "").strip()
_issuer = urlsplit(OIDC_ISSUER)
OIDC_NAME = os.environ.get("CROWDVOTE_OIDC_NAME", "").strip() or _issuer.netloc
# Seconds to wait for each answer of the provider.
OIDC_TIMEOUT = number("CROWDVOTE_OIDC_TIMEOUT", 10)
if OIDC_ISSUER or OIDC_CLIENT_ID or OIDC_CLIENT_SECRET:
    if not (OIDC_ISSUER and OIDC_CLIENT_ID and OIDC_CLIENT_SECRET):
        raise ImproperlyConfigured("CROWDVOTE_OIDC_ISSUER, _CLIENT_ID and _CLIENT_SECRET are given together, or not.")
    # On its own machine alone may a provider be asked without encryption.
    _is_local = _issuer.scheme == "http" and _issuer.hostname in {"localhost", "127.0.0.1", "::1"}
    if not _issuer.netloc or not (_issuer.scheme == "https" or _is_local):
        raise ImproperlyConfigured(f"CROWDVOTE_OIDC_ISSUER is an address with https://, not {OIDC_ISSUER!r}.")
    if find_spec("authlib") is None or find_spec("requests") is None:
        raise ImproperlyConfigured(f"CROWDVOTE_OIDC_ISSUER needs Authlib and requests: {_NEEDS_SIGN_IN}")
PASSKEYS = flag("CROWDVOTE_PASSKEYS")
if PASSKEYS and find_spec("fido2") is None:
    raise ImproperlyConfigured(f"CROWDVOTE_PASSKEYS needs the package fido2: {_NEEDS_SIGN_IN}")

EMAIL_BACKEND = os.environ.get("CROWDVOTE_EMAIL_BACKEND", "accounts.mail.ConsoleAndFileBackend")
EMAIL_HOST = os.environ.get("CROWDVOTE_EMAIL_HOST", "localhost")
EMAIL_PORT = whole_number("CROWDVOTE_EMAIL_PORT", 25)
EMAIL_HOST_USER = os.environ.get("CROWDVOTE_EMAIL_USER", "")
EMAIL_HOST_PASSWORD = os.environ.get("CROWDVOTE_EMAIL_PASSWORD", "")
EMAIL_USE_TLS = flag("CROWDVOTE_EMAIL_TLS")
DEFAULT_FROM_EMAIL = os.environ.get("CROWDVOTE_EMAIL_FROM", "noreply@localhost")
if not parseaddr(DEFAULT_FROM_EMAIL)[0]:
    # Mail programs show the name in place of the address.
    DEFAULT_FROM_EMAIL = formataddr((f"CrowdVote at {urlsplit(SITE_URL).netloc}", DEFAULT_FROM_EMAIL))
# Seconds to wait for each answer of the mail server.
EMAIL_TIMEOUT = number("CROWDVOTE_EMAIL_TIMEOUT", 10)
# Mails of notices that leave in a minute, from all processes together (0: any number).
MAILS_PER_MINUTE = whole_number("CROWDVOTE_MAILS_PER_MINUTE", 600)
# Seconds for which a sender holds the mails that it is sending. Those of a dead process are free after them.
MAIL_LEASE = number("CROWDVOTE_MAIL_LEASE", 300)
# Where webhooks may be posted: public, to addresses of the public internet over https; any, for tests on one machine.
WEBHOOKS_TO = one_of("CROWDVOTE_WEBHOOKS_TO", "public", "any")
# A mail service's own settings, such as ANYMAIL_SENDGRID_API_KEY. Its package is optional.
if EMAIL_BACKEND.startswith("anymail."):
    ANYMAIL = {
        name.removeprefix("ANYMAIL_"): value for name, value in os.environ.items() if name.startswith("ANYMAIL_")
    }

# --- Cache ------------------------------------------------------------------------------------------------------------

# Caches hold only what may be lost, such as counters of rate limits. With Redis "default" is shared,
# "process" never.
REDIS_URL = os.environ.get("REDIS_URL", "")
# Give up on Redis soon: everything works without it for a while.
_REDIS_SECONDS = 2
# With the default of 300 entries, made-up addresses would push counters out.
_process_cache = {
    "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
    "LOCATION": "process",
    "OPTIONS": {"MAX_ENTRIES": 100_000},
}
_shared_cache = {
    "BACKEND": "django.core.cache.backends.redis.RedisCache",
    "LOCATION": REDIS_URL,
    "KEY_PREFIX": "crowdvote",
    "OPTIONS": {"socket_connect_timeout": _REDIS_SECONDS, "socket_timeout": _REDIS_SECONDS},
}
CACHES: dict[str, dict[str, Any]] = {
    "default": _shared_cache if REDIS_URL else _process_cache | {"LOCATION": "default"},
    "process": _process_cache,
}

# Whoever runs the site, as the privacy page and mails name them, and how to reach them.
OPERATOR_NAME = os.environ.get("CROWDVOTE_OPERATOR_NAME", "").strip()
OPERATOR_CONTACT = os.environ.get("CROWDVOTE_OPERATOR_CONTACT", "").strip()

# --- Communities ------------------------------------------------------------------------------------------------------

# Communities that one person may create in a day (0: any number).
COMMUNITIES_PER_DAY = whole_number("CROWDVOTE_COMMUNITIES_PER_DAY", 10)
# Mails with invitations that one person may have sent in a day (0: any number).
INVITATIONS_PER_DAY = whole_number("CROWDVOTE_INVITATIONS_PER_DAY", 20_000)
# The public community, by the number in its address, whose newest decision the start page shows; 0: made-up
# figures. Not a name, because anybody may take a name.
EXAMPLE_COMMUNITY = whole_number("CROWDVOTE_EXAMPLE_COMMUNITY", 0)

# --- Language, time, files --------------------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
FORMAT_MODULE_PATH = "crowdvote.formats"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = Path(os.environ.get("CROWDVOTE_STATIC_DIR") or DATA_DIR / "static")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "crowdvote.static_files.StaticFiles"},
}
# Django reads WhiteNoise's files in a thread, and every server would warn of it once.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")

# --- Recalculation ----------------------------------------------------------------------------------------------------

# threads: daemon threads of this process; celery: workers; off: only on request (tests).
CROWDVOTE_EXECUTOR = one_of("CROWDVOTE_EXECUTOR", "threads", "celery", "off")
if CROWDVOTE_EXECUTOR == "celery" and not REDIS_URL:
    raise ImproperlyConfigured("CROWDVOTE_EXECUTOR=celery needs REDIS_URL: processes tell each other of results there.")
# The broker that queues jobs for workers; Redis, unless another one is named.
BROKER_URL = os.environ.get("CROWDVOTE_BROKER_URL", REDIS_URL)
RECALCULATION_DEBOUNCE = number("CROWDVOTE_DEBOUNCE", 0.2)
RECALCULATION_DEBOUNCE_BOUND = number("CROWDVOTE_DEBOUNCE_BOUND", 2.0)
RECALCULATION_CONCURRENCY = whole_number("CROWDVOTE_CONCURRENCY", 2)
RECALCULATION_TIMEOUT = number("CROWDVOTE_CALCULATION_TIMEOUT", 300)
# Seconds after which a stale result makes /readyz fail; 0: never.
READY_STALENESS = number("CROWDVOTE_READY_STALENESS", 300)
RECALCULATION_SWEEP_INTERVAL = number("CROWDVOTE_SWEEP_INTERVAL", 2.0)
# Seconds that a claim on a community lasts. A run renews it three times in these; a dead run's claim expires.
RECALCULATION_LEASE = number("CROWDVOTE_LEASE", 5.0)
# Bytes of communities and calculations that a process keeps for the next change; what was used longest ago is let go.
RECALCULATION_KEPT_BYTES = whole_number("CROWDVOTE_KEPT_MEGABYTES", 200) << 20
# Days after which interim results are thinned out to the last of each day (0: all are kept).
HISTORY_DAYS = whole_number("CROWDVOTE_HISTORY_DAYS", 0)
# Seconds after which another interim result keeps the ballots that it rests on (0: none does).
HISTORY_BALLOTS = whole_number("CROWDVOTE_HISTORY_BALLOTS", 3_600)

# --- Connections that stay open ---------------------------------------------------------------------------------------

# WebSockets and streams of server-sent events: in all, if the process has files for them, and of one address,
# which may be a hall of people.
CONNECTIONS = whole_number("CROWDVOTE_CONNECTIONS", 5_000)
CONNECTIONS_PER_ADDRESS = whole_number("CROWDVOTE_CONNECTIONS_PER_ADDRESS", 1_000)
# GraphQL subscriptions of one address, over all its connections.
SUBSCRIPTIONS_PER_ADDRESS = whole_number("CROWDVOTE_SUBSCRIPTIONS_PER_ADDRESS", 2_000)

# --- GraphQL ----------------------------------------------------------------------------------------------------------

# Seconds after which an operation is given up.
OPERATION_SECONDS = number("CROWDVOTE_OPERATION_SECONDS", 10)
# Operations at once: of one viewer or of all visitors of one address; then of everybody at one address.
OPERATIONS_AT_ONCE = whole_number("CROWDVOTE_OPERATIONS_AT_ONCE", 8)
OPERATIONS_AT_ONCE_PER_ADDRESS = whole_number("CROWDVOTE_OPERATIONS_AT_ONCE_PER_ADDRESS", 1_000)
# Operations in a minute, of one viewer or of all visitors of one address (0: any number).
OPERATIONS_PER_MINUTE = whole_number("CROWDVOTE_OPERATIONS_PER_MINUTE", 1_200)
# The only documents that the API runs, by their SHA-256 (None: it runs any), and the file that has them.
API_DOCUMENTS_FILE = os.environ.get("CROWDVOTE_API_DOCUMENTS", "").strip()
API_DOCUMENTS = documents("CROWDVOTE_API_DOCUMENTS", API_DOCUMENTS_FILE)

STRAWBERRY_DJANGO = {"MAP_AUTO_ID_AS_GLOBAL_ID": True, "MUTATIONS_DEFAULT_HANDLE_ERRORS": False}

# --- Logging ----------------------------------------------------------------------------------------------------------

LOG_FORMAT = one_of("CROWDVOTE_LOG_FORMAT", "text", "json")
LOG_TO = one_of("CROWDVOTE_LOG_TO", "file", "stdout", "both")

# Events go to the file. Warnings go to the console (standard error) too, with everything else. A program that
# collects standard output gets each event there once.
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "console": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"},
        "events": {"()": "crowdvote.operations.logfile.EventFormatter"},
        "json": {"()": "crowdvote.operations.logfile.JsonFormatter"},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "json" if LOG_FORMAT == "json" else "console",
            "level": "WARNING",
        },
        "stdout": {
            "class": "logging.StreamHandler",
            "formatter": "json" if LOG_FORMAT == "json" else "events",
            "stream": "ext://sys.stdout",
        },
        "events": {
            "class": "crowdvote.operations.logfile.SharedDailyFileHandler",
            "formatter": "json" if LOG_FORMAT == "json" else "events",
            "filename": LOG_DIR / "crowdvote.log",
            "when": "midnight",
            "utc": True,
            "backupCount": 30,
            "delay": True,
        },
    },
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "crowdvote.events": {
            "handlers": {"file": ["events"], "stdout": ["stdout"], "both": ["events", "stdout"]}[LOG_TO],
            "level": "INFO",
            "propagate": LOG_TO == "file",
        }
    },
}
