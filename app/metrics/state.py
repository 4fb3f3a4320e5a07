"""The feed and the cache as Prometheus samples, read when they are asked for: every worker tells the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from app import __version__
from app.cache.results import Results
from app.errors import CacheError
from app.models import CacheStats, SchwabConnection
from app.watchlist import Watchlist

Sample = tuple[list[str], float | int | None]


class State(Collector):
    """Collects from the cache. Labels are bounded: symbols are those that are followed."""

    def __init__(self, results: Results, watchlist: Watchlist) -> None:
        self._results = results
        self._watchlist = watchlist

    def collect(self) -> Iterator[Metric]:
        """The samples; without a cache, that there is none."""
        yield InfoMetricFamily("gex", "This program", value={"version": __version__})
        followed = self._watchlist.symbols()
        yield from _cache(self._results.stats(), followed)
        try:
            connection = self._results.connection()
        except CacheError:
            return
        if connection is not None:
            yield from _feed(connection, followed)


def _cache(stats: CacheStats, followed: list[str]) -> Iterator[Metric]:
    yield _gauge("gex_cache_up", "Whether the cache answers", [([], int(stats.healthy))])
    yield _gauge(
        "gex_cache_breaker_open", "Whether calls are refused", [([], int(stats.breaker != "closed"))]
    )
    yield _gauge("gex_cache_ping_seconds", "One answer's time", [([], _scaled(stats.ping_ms, 1e-3))])
    yield _gauge("gex_cache_keys", "Keys held", [([], stats.keys)])
    yield _gauge("gex_cache_memory_bytes", "Memory used", [([], stats.memory_bytes)])
    yield _gauge("gex_cache_memory_limit_bytes", "Memory at most", [([], stats.memory_limit_bytes)])
    yield _counter(
        "gex_cache_evictions", "Keys that were thrown out for want of memory", [([], stats.evictions)]
    )
    yield _counter("gex_cache_hits", "Reads that found their chain", [([], stats.hits)])
    yield _counter("gex_cache_misses", "Reads that found none, or failed", [([], stats.misses)])
    ages = [([symbol], stats.ages_s.get(symbol)) for symbol in followed]
    yield _gauge("gex_chain_age_seconds", "Since a chain's publication", ages, ["symbol"])
    versions = [([symbol], stats.versions.get(symbol)) for symbol in followed]
    yield _gauge("gex_chain_version", "Publications of a chain", versions, ["symbol"])


def _feed(status: SchwabConnection, followed: list[str]) -> Iterator[Metric]:
    yield _gauge("gex_feed_up", "Whether the feed is live", [([], int(status.state == "live"))])
    yield _gauge("gex_feed_state", "1 for the state it is in", [([status.state], 1)], ["state"])
    problem: list[Sample] = [([status.problem.code], 1)] if status.problem else []
    yield _gauge("gex_feed_problem", "1 for what is wrong", problem, ["code"])
    yield _counter("gex_feed_reconnects", "Connections after the first", [([], status.reconnects)])
    yield _counter("gex_feed_frames", "Frames received", [([], status.frames)])
    rejected = [([reason], count) for reason, count in sorted(status.rejected.items())]
    yield _counter("gex_feed_rejected", "What was thrown away", rejected, ["reason"])
    for name, said, at in (
        ("last_frame", "Last frame of any kind", status.last_frame_at),
        ("last_data", "Last frame with data", status.last_data_at),
        ("heartbeat", "Last report of the feed", status.heartbeat_at),
    ):
        yield _gauge(f"gex_feed_{name}_timestamp_seconds", said, [([], _seconds(at))])
    ends = _seconds(status.token.refresh_expires_at)
    yield _gauge("gex_login_ends_timestamp_seconds", "When only a new sign-in helps", [([], ends)])
    yield _gauge("gex_feed_keys_used", "Option keys that stream", [([], status.keys_used)])
    yield _gauge("gex_feed_keys_limit", "Option keys that may stream", [([], status.keys_limit)])
    covered = {symbol: status.coverage[symbol] for symbol in followed if symbol in status.coverage}
    for name, said in (
        ("contracts", "Contracts in the chain"),
        ("streaming", "Contracts that stream"),
        ("gamma_share", "Share of gross gamma exposure that streams"),
    ):
        samples: list[Sample] = [([symbol], getattr(cover, name)) for symbol, cover in covered.items()]
        yield _gauge(f"gex_feed_{name}", said, samples, ["symbol"])


def _gauge(name: str, said: str, samples: Iterable[Sample], labels: list[str] | None = None) -> Metric:
    return _filled(GaugeMetricFamily(name, said, labels=labels or []), samples)


def _counter(name: str, said: str, samples: Iterable[Sample], labels: list[str] | None = None) -> Metric:
    return _filled(CounterMetricFamily(name, said, labels=labels or []), samples)


def _filled(
    family: GaugeMetricFamily | CounterMetricFamily, samples: Iterable[Sample]
) -> GaugeMetricFamily | CounterMetricFamily:
    """With the samples that are known: what is unknown has none."""
    for labels, value in samples:
        if value is not None:
            family.add_metric(labels, value)
    return family


def _scaled(value: float | None, by: float) -> float | None:
    return None if value is None else value * by


def _seconds(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()
