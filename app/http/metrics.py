"""`GET /metrics`: what an operator's Prometheus reads, over all processes of the instance."""

import hmac
import platform
import time
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version

from flask import Flask, Response, current_app, g, request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from app.errors import Unauthenticated
from app.extensions import db
from app.http.routing import Route
from app.security.logs import log
from app.telemetry.backlog import read_backlogs
from app.telemetry.metrics import (
    PREFIX,
    REQUEST_SECONDS,
    REQUESTS,
    REQUESTS_IN_FLIGHT,
    SIGN_INS_FAILED,
)
from app.telemetry.watch import watch_attempts, watch_pool

KNOWN_METHODS = {"GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS"}
REASONS = {401: "credentials", 429: "too-many"}


def init_app(app: Flask) -> None:
    """Count every request of *app*, its connections and its attempts."""
    app.before_request(_begin)
    app.after_request(_count)
    app.teardown_request(_end)
    watch_attempts()
    with app.app_context():
        watch_pool(db.engine)


def _begin() -> None:
    g.counted_from = time.perf_counter()
    REQUESTS_IN_FLIGHT.inc()


def _count(response: Response) -> Response:
    """Count an answer. An address that is none of ours makes no series of its own."""
    route: Route | None = g.get("route")
    address = route.addresses[0] if route else "unknown"
    method = request.method
    method = method if method in KNOWN_METHODS else "other"
    answered, seconds = _series(address, method, response.status_code)
    answered.inc()
    began = g.get("counted_from")
    if began is not None:
        seconds.observe(time.perf_counter() - began)
    if route and route.signs_in and response.status_code in REASONS:
        SIGN_INS_FAILED.labels(REASONS[response.status_code]).inc()
    return response


@cache
def _series(address: str, method: str, status: int) -> tuple[Counter, Histogram]:
    """Return the series of these answers: the library would look for them each time."""
    return REQUESTS.labels(address, method, status), REQUEST_SECONDS.labels(address, method)


def _end(_error: BaseException | None) -> None:
    if g.pop("counted_from", None) is not None:
        REQUESTS_IN_FLIGHT.dec()


def show() -> Response:
    """Answer in Prometheus' text format. With METRICS_TOKEN set, only to those who send it."""
    _check_token(current_app.extensions["config"].metrics_token)
    registry = CollectorRegistry()
    try:
        MultiProcessCollector(registry)
    except ValueError:  # no folder is set: this process is the only one
        registry.register(REGISTRY)
    registry.register(_Now())
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _check_token(wanted: str | None) -> None:
    given = request.headers.get("Authorization", "")
    if wanted and not hmac.compare_digest(given.encode(), f"Bearer {wanted}".encode()):
        refusal = Unauthenticated("Send the token that METRICS_TOKEN holds, as a bearer token.")
        refusal.headers["WWW-Authenticate"] = "Bearer"
        raise refusal


class _Now(Collector):
    """Read at each scrape: which build this is, and what is pending."""

    def collect(self) -> Iterator[Metric]:
        build = GaugeMetricFamily(
            f"{PREFIX}_build_info", "What is running.", labels=["python", "flask"]
        )
        build.add_metric([platform.python_version(), version("flask")], 1)
        yield build
        try:
            backlogs = read_backlogs()
        except SQLAlchemyError as error:  # the counters are worth telling all the same
            log.warning("backlog not read", kind=type(error).__name__)
            return
        pending = GaugeMetricFamily(f"{PREFIX}_pending", "Entries to deliver.", labels=["kind"])
        oldest = GaugeMetricFamily(
            f"{PREFIX}_pending_oldest_seconds", "Age of the oldest entry.", labels=["kind"]
        )
        person = GaugeMetricFamily(
            f"{PREFIX}_needs_person", "Entries that need a person.", labels=["kind"]
        )
        for each in backlogs:
            pending.add_metric([each.kind], each.pending)
            oldest.add_metric([each.kind], each.oldest)
            person.add_metric([each.kind], each.needs_person)
        yield from (pending, oldest, person)
