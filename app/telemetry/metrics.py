"""
Every metric there is. Labels take few values: none holds an id, a path or a text from outside.

Under gunicorn each process writes to files of its own, and `/metrics` adds them up
(PROMETHEUS_MULTIPROC_DIR, set in `gunicorn.conf.py` before any process starts).
"""

from prometheus_client import Counter, Gauge, Histogram

PREFIX = "stripe_linking"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25)
DELIVERY = (1, 5, 15, 60, 300, 3600, 6 * 3600, 24 * 3600)

REQUESTS = Counter(
    f"{PREFIX}_http_requests",
    "HTTP requests answered, by route template.",
    ["route", "method", "status"],
)
REQUEST_SECONDS = Histogram(
    f"{PREFIX}_http_request_duration_seconds",
    "Time from a whole request to its answer.",
    ["route", "method"],
    buckets=SECONDS,
)
REQUESTS_IN_FLIGHT = Gauge(
    f"{PREFIX}_http_requests_in_flight",
    "HTTP requests being answered now.",
    multiprocess_mode="livesum",
)
STRIPE_CALLS = Counter(
    f"{PREFIX}_stripe_calls",
    "Calls to Stripe that ended, by kind and outcome.",
    ["kind", "outcome"],
)
STRIPE_SECONDS = Histogram(
    f"{PREFIX}_stripe_call_duration_seconds",
    "Time of a call to Stripe, connecting included.",
    ["kind"],
    buckets=SECONDS,
)
STRIPE_IN_FLIGHT = Gauge(
    f"{PREFIX}_stripe_calls_in_flight",
    "Calls to Stripe under way now.",
    multiprocess_mode="livesum",
)
ATTEMPTS = Counter(
    f"{PREFIX}_link_attempts",
    "Attempts to connect an account that ended, by outcome.",
    ["outcome"],
)
WEBHOOKS = Counter(
    f"{PREFIX}_webhooks",
    "Webhooks received, by type and by what we answered.",
    ["type", "result"],
)
WEBHOOK_LAG = Histogram(
    f"{PREFIX}_webhook_lag_seconds",
    "Time between an event at Stripe and its arrival here.",
    buckets=DELIVERY,
)
POOL_IN_USE = Gauge(
    f"{PREFIX}_database_connections_in_use",
    "Database connections checked out of the pools now.",
    multiprocess_mode="livesum",
)
SIGN_INS_FAILED = Counter(
    f"{PREFIX}_sign_ins_failed",
    "Sign-ins that were refused: wrong credentials, or too many attempts.",
    ["reason"],
)
