"""Counters of mesh, intake, signature checks and connections, read when they are scraped."""

from collections.abc import Iterator, Sequence

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from node.service.connection_guard import ConnectionLimits
from node.service.runtime import Runtime


class PartsCollector(Collector):
    """Reads the parts of one node; labels are codes and states, never peers or paths."""

    def __init__(self, runtime: Runtime, listeners: Sequence[ConnectionLimits]) -> None:
        self._runtime = runtime
        self._listeners = listeners

    def describe(self) -> Iterator[Metric]:
        """Nothing before the first scrape."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Gauges first, then counters."""
        runtime, listeners = self._runtime, self._listeners
        peers = runtime.network.peers()
        intake = runtime.intake.counters
        gauges = {
            "peer_send_queue": ("Frames that wait to be sent.", sum(len(p.outbox) for p in peers)),
            "driver_inbox": ("Inputs that wait for the driver.", len(runtime.host.inbox)),
            "intake_queue": ("Transactions that wait for their check.", runtime.intake.queued),
            "sync_lag_blocks": ("Blocks behind the highest claim.", runtime.syncer.lag),
            "event_loop_lag_seconds": ("Of the last tick.", runtime.monitor.loop_lag_ms / 1000),
            "http_connections": ("Open connections.", sum(each.total for each in listeners)),
        }
        for name, (text, value) in gauges.items():
            yield GaugeMetricFamily(f"twinchain_{name}", text, value)
        counters = {
            "peer_frames_dropped": ("Not sent: box full.", sum(p.outbox.dropped for p in peers)),
            "peer_frames_bad": ("Frames and messages refused.", sum(p.bad_frames for p in peers)),
            "peer_frames_throttled": ("Above the rate.", sum(p.throttled for p in peers)),
            "driver_inbox_dropped": ("Inputs dropped.", runtime.host.inbox.dropped),
            "intake_accepted": ("Transactions taken in.", intake.accepted),
            "intake_known": ("Transactions sent again.", intake.known),
            "intake_dropped": ("Turned away: queue full.", intake.dropped),
            "signatures_checked": ("Of transactions.", runtime.verifier.checked),
            "verify_worker_failures": ("Checks done inline.", runtime.verifier.worker_failures),
            "sync_blocks": ("Blocks applied by catch-up.", runtime.syncer.applied),
            "connections_refused": ("One too many.", sum(each.refused for each in listeners)),
            "connections_timed_out": ("No head in time.", sum(e.timed_out for e in listeners)),
        }
        for name, (text, value) in counters.items():
            yield CounterMetricFamily(f"twinchain_{name}", text, value)
        rejected = CounterMetricFamily(
            "twinchain_intake_rejected", "Transactions refused, by code.", labels=["code"]
        )
        for code, count in sorted(intake.rejected.items()):
            rejected.add_metric([code], count)
        yield rejected
        work = HistogramMetricFamily(
            "twinchain_block_step_seconds",
            "Processor time of the steps of a block; build and check contain clear and admit.",
            labels=["step"],
        )
        for step, spent in runtime.application.chain.timing.spent.items():
            work.add_metric([step], spent.cumulative(), spent.seconds)
        yield work
