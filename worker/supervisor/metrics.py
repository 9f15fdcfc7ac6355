"""Figures for Prometheus, on loopback only: how much there is to do, and how it goes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from semcolor.shared.errors import Code, SemcolorError

if TYPE_CHECKING:
    from prometheus_client import Metric

_HOST = "127.0.0.1"


@dataclass(frozen=True)
class Figures:
    """What is true now, and what has been counted since the start."""

    waiting: int = 0
    sessions: int = 0
    planes_bytes: int = 0
    resident_bytes: int = 0
    jobs: int = 0
    waited_seconds: float = 0.0
    restarts: int = 0
    refused_keys: int = 0


class Metrics:
    """A page of figures at http://127.0.0.1:PORT/metrics, which a thread serves.

    ``now`` is replaced as a whole, so that the thread reads figures that belong together. Raises
    SemcolorError: LAN_NOT_INSTALLED, CANNOT_LISTEN.
    """

    def __init__(self, port: int) -> None:
        self.now = Figures()
        try:
            from prometheus_client import CollectorRegistry, start_http_server
        except ImportError as error:
            raise SemcolorError(Code.LAN_NOT_INSTALLED) from error
        registry = CollectorRegistry()
        registry.register(self)
        try:
            self._server, _ = start_http_server(port, _HOST, registry)
        except (OSError, OverflowError) as error:
            raise SemcolorError(
                Code.CANNOT_LISTEN, address=f"{_HOST}:{port}", reason=str(error)
            ) from error

    def collect(self) -> "Iterator[Metric]":
        """See :class:`prometheus_client.registry.Collector`."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        now = self.now
        families = (
            (GaugeMetricFamily, "jobs_waiting", "Jobs that wait or run.", now.waiting),
            (GaugeMetricFamily, "sessions", "Open connections.", now.sessions),
            (GaugeMetricFamily, "planes_bytes", "Photos and label maps kept.", now.planes_bytes),
            (
                GaugeMetricFamily, "resident_memory_bytes", "Of the supervisor and its engines.",
                now.resident_bytes,
            ),
            (CounterMetricFamily, "jobs", "Jobs that were answered.", now.jobs),
            (
                CounterMetricFamily, "waited_seconds", "Sum of what jobs waited for an engine.",
                now.waited_seconds,
            ),
            (CounterMetricFamily, "engine_restarts", "Engines that died.", now.restarts),
            (CounterMetricFamily, "refused_keys", "Handshakes by strangers.", now.refused_keys),
        )  # fmt: skip
        for family, name, text, value in families:
            yield family(f"semcolor_{name}", text, value)

    def stop(self) -> None:
        """End the page."""
        self._server.shutdown()
        self._server.server_close()
