"""The time that requests take, as a metric."""

import time

from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry, Histogram

_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class RequestTimes:
    """Measures how long the requests to an application take."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._latency = Histogram(
            "earmark_request_seconds",
            "Time to answer a request",
            ["method", "route", "code"],
            registry=registry,
            buckets=_BUCKETS_S,
        )

    def measure(self, app: Flask) -> None:
        """Time every request to an application."""
        app.before_request(self._start)
        app.after_request(self._observe)

    def _start(self) -> None:
        g.began = time.perf_counter()

    def _observe(self, response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else "none"
        seconds = time.perf_counter() - g.get("began", time.perf_counter())
        method = request.method if request.method in _METHODS else "other"  # clients make them up
        self._latency.labels(method, route, response.status_code).observe(seconds)
        return response
