"""What Prometheus is told."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

_ROWS = (1, 2, 4, 8, 16, 32, 64)
_SECONDS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """Counters of one service, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        own = self.registry
        self.requests = Counter("cnn_demo_requests", "Requests answered.", ["path", "status"], registry=own)
        self.refused = Counter("cnn_demo_refused", "Requests refused before any work.", ["reason"], registry=own)
        self.images = Counter("cnn_demo_images", "Images answered, by verdict or error.", ["outcome"], registry=own)
        self.reloads = Counter("cnn_demo_reloads", "Reloads of the network.", ["outcome"], registry=own)
        self.seconds = Histogram(
            "cnn_demo_request_seconds",
            "From the head of a request to its answer.",
            ["path"],
            buckets=_SECONDS,
            registry=own,
        )
        self.batch = Histogram(
            "cnn_demo_batch_rows",
            "Images in one pass through the network.",
            buckets=(1, 2, 4, 8, 16, 32, 64),
            registry=own,
        )
        self.in_work = Gauge("cnn_demo_images_in_work", "Images in work or waiting.", registry=own)
        self.held_bytes = Gauge("cnn_demo_held_bytes", "Bytes of the bodies in work.", registry=own)
        self.ready = Gauge("cnn_demo_ready", "1 while the service answers predictions.", registry=own)
        self.network = Gauge("cnn_demo_network_info", "Which network answers; 1.", ["network", "step"], registry=own)

    def render(self) -> bytes:
        """The text that Prometheus reads."""
        return bytes(generate_latest(self.registry))
