"""Django's settings of every process. They import with an empty environment."""

import os
from typing import Any

from django.utils.csp import CSP

from centre.config.databases import database
from centre.config.environment import Environment
from centre.config.schedule import SCHEDULE

AMTSBRUECKE = Environment.from_mapping(os.environ)

SECRET_KEY = AMTSBRUECKE.secret_key
DEBUG = AMTSBRUECKE.debug
# A host name must be registered: the municipality middleware answers all others with a page.
ALLOWED_HOSTS = ["*"]

# What lies in the schema `public`, and what in the schema of each municipality. Order = order of
# migration; each app stands below what it builds on.
SHARED_APPS = [
    "django_tenants",
    "django.contrib.contenttypes",
    "django.contrib.staticfiles",
    "django.contrib.messages",
    "django.forms",
    "django_htmx",
    "centre.config",
    "centre.tenancy",
    "centre.keys",
    "centre.audit",
    "centre.registry",
    "centre.directory",
    "federation.outbox",
    "federation.inbox",
    "federation.blobs",
    "federation.sync",
]
TENANT_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "tenants.clerks",
    "tenants.documents",
    "tenants.cases",
    "tenants.importers",
    "tenants.web",
]
INSTALLED_APPS = list(dict.fromkeys(SHARED_APPS + TENANT_APPS))

# -- tenancy ---------------------------------------------------------------------------------
DATABASES = {"default": database(AMTSBRUECKE)}
DATABASE_ROUTERS = ["centre.tenancy.routing.TenantRouter"]
TENANT_SYNC_ROUTER = "centre.tenancy.routing.TenantRouter"
TENANT_MODEL = "registry.Municipality"
TENANT_DOMAIN_MODEL = "registry.Domain"
PUBLIC_SCHEMA_URLCONF = "centre.config.urls_public"
GET_EXECUTOR_FUNCTION = "centre.tenancy.executor.executor"
# Each is called `(*, administrator)` before anything of a municipality exists: what it refuses
# leaves nothing half-done.
TENANT_CHECKS = [
    "tenants.clerks.services.check_administrator",
    "centre.keys.keystore.check_master_key",
]
# Each is called `(*, municipality, administrator)` in the scope of a municipality just created.
TENANT_FOUNDERS = [
    "centre.keys.keystore.found_keys",
    "tenants.clerks.services.found_administrator",
]
# Each is called without arguments in the scope of a municipality that somebody wants to delete, and
# says in a sentence for the operator what would be cut off with it, or "".
TENANT_LOSSES = [
    "tenants.cases.selectors.what_deletion_cuts_off",
    "federation.inbox.endings.what_was_never_applied",
    "federation.blobs.selectors.what_has_lost_its_file",
]
# Each is called `(*, municipality, by)` by the owner, in nobody's scope, when a municipality is
# about to be deleted: nothing comes in any more, its keys are still there. May be called again.
TENANT_ENDINGS = [
    "federation.inbox.endings.discard_all",
    "federation.outbox.endings.cancel_what_needs_documents",
]

# Each is called `(*, municipality)` when a municipality and its rows are gone, to remove what lay
# outside the database. If it is not called, by a crash, what it left must go in another way.
TENANT_REMAINS = ["federation.blobs.services.remove_files_of"]
# Each is called `(*, tenant_role)` and yields what an archive holds beside rows: a
# name, a path and the SHA-256 that it should have.
TENANT_FILES = ["federation.blobs.selectors.files_of"]

# -- federation: the only upward links, as names ---------------------------------------------
# Who acts on messages of each kind. What stands here for several kinds gets them in one call.
FEDERATION_HANDLERS = dict.fromkeys(
    (
        "assistance_request",
        "registration",
        "acceptance",
        "refusal",
        "query",
        "answer",
        "completion",
        "closure",
        "withdrawal",
        "withdrawal_confirmation",
        "void",
        "processing_failure",
    ),
    "tenants.cases.inbound.on_messages",
)
FEDERATION_OUTCOME_HANDLER = "tenants.cases.outcomes.on_outcomes"
# Letters that one municipality may have waiting for one centre before `post` refuses more.
FEDERATION_BACKLOG_QUOTA = 250_000
# What the documents of one municipality may take.
BLOB_QUOTA_BYTES = AMTSBRUECKE.documents_quota_gb * 1000**3

# -- web -------------------------------------------------------------------------------------
AUTH_USER_MODEL = "clerks.Clerk"
# Costs an attacker memory as well as time, and a clerk a third of what PBKDF2 takes.
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
ROOT_URLCONF = "centre.config.urls_tenant"
WSGI_APPLICATION = "centre.config.wsgi.application"
ASGI_APPLICATION = "centre.config.asgi.application"
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "centre.registry.middleware.municipality_middleware",
    "tenants.web.tracing.trace_middleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "tenants.web.sessions.session_rules",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "tenants.web.sessions.PasswordChangeFirst",
    "django.contrib.messages.middleware.MessageMiddleware",
    "tenants.web.errors.ErrorsInWords",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.csp",
                "django.template.context_processors.i18n",
                "django.contrib.messages.context_processors.messages",
                "tenants.web.context.frame",
            ],
        },
    },
]
FORM_RENDERER = "tenants.web.forms.renderer.Renderer"
LOGIN_URL = "web:sign_in"
# A working day; without a page asked for, an hour (tenants.web.sessions). Ends with the browser.
SESSION_COOKIE_AGE = 10 * 3600
SESSION_IDLE_SECONDS = 3600
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"
MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"
MESSAGE_TAGS = {10: "info", 20: "info", 25: "success", 30: "warning", 40: "danger"}
CSRF_FAILURE_VIEW = "tenants.web.views.errors.csrf_failure"
FILE_UPLOAD_HANDLERS = [
    "tenants.web.uploads.Limit",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_500_000
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000
# KERN's icons are `data:` pictures; nothing comes from another host, nothing is written inline.
SECURE_CSP = {
    "default-src": [CSP.NONE],
    "script-src": [CSP.NONCE],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF, "data:"],
    "font-src": [CSP.SELF],
    "connect-src": [CSP.SELF],
    "form-action": [CSP.SELF],
    "base-uri": [CSP.NONE],
    "frame-ancestors": [CSP.NONE],
}
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = AMTSBRUECKE.web_secure
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
STATIC_URL = "/static/"
STATIC_ROOT = AMTSBRUECKE.home / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "tenants.web.statics.Statics"},
}

# -- logs: `console.logs` does it for every process, also for what Django says
LOGGING_CONFIG = None

# -- language and time -----------------------------------------------------------------------
LANGUAGE_CODE = "de"
LANGUAGES = [("de", "Deutsch"), ("en", "English")]
TIME_ZONE = "Europe/Berlin"
USE_TZ = True
USE_I18N = True

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# Nothing of a municipality is cached outside its schema; a key carries the schema all the same.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "KEY_FUNCTION": "django_tenants.cache.make_key",
    },
}

# -- work that is not on the hot path (names of Celery's settings, without prefix) -------------
CELERY: dict[str, Any] = {
    # Processes that serve require one. What a single command would wake, beat finds without it.
    "broker_url": AMTSBRUECKE.broker_url or "memory://",
    "broker_connection_retry_on_startup": True,
    # Without timeouts, a Redis or Valkey that takes connections and is silent holds us for ever.
    "broker_transport_options": {
        "visibility_timeout": 300,
        "socket_connect_timeout": 3,
        "socket_timeout": 3,
    },
    # Tasks carry no payload and read from the database what is due: none has a result.
    "task_ignore_result": True,
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "task_default_queue": "amtsbruecke",
    "task_serializer": "json",
    "accept_content": ["json"],
    "worker_prefetch_multiplier": 1,
    "worker_max_tasks_per_child": 500,
    "worker_hijack_root_logger": False,
    "timezone": "UTC",
    "beat_schedule": SCHEDULE,
    "beat_scheduler": "centre.config.beat:LonelyScheduler",
}
