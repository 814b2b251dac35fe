"""Prometheus metrics of a process; `/metrics` shows the default registry."""

from prometheus_client import Counter, Gauge, Histogram

_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

HTTP_SECONDS = Histogram(
    "booking_http_request_seconds", "HTTP requests by route template.", ["method", "route", "status"], buckets=_BUCKETS
)
HTTP_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
WORKER_RESTARTS = Counter("booking_worker_restarts_total", "Times a worker failed and was started again.", ["worker"])
WORKER_BACKLOG = Gauge("booking_worker_backlog", "What a worker knows to be waiting for it.", ["worker"])
WORKER_STALLED = Gauge("booking_worker_stalled_seconds", "How long a backlog has not moved.", ["worker"])
LOOP_LAG = Gauge("booking_loop_lag_seconds", "How late the event loop's timers fire.")


class HttpMetrics:
    """Observes requests; keeps each label set's child, since looking one up costs as much as observing."""

    def __init__(self) -> None:
        self._children: dict[tuple[str, str, int], Histogram] = {}

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """`route` is a template, so that the number of series is bounded; so are `method` and `status`."""
        key = (method, route, status)
        child = self._children.get(key)
        if child is None:
            known = method if method in HTTP_METHODS else "other"
            child = HTTP_SECONDS.labels(known, route, str(status))
            if known == method:
                self._children[key] = child
        child.observe(seconds)
