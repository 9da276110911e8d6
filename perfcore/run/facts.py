"""What run.json and the journal say of a run beside its records."""

import dataclasses
import sys
from typing import Any

from perfcore.options import StressOptions
from perfcore.redaction import redacted, redacted_command, redacted_url
from perfcore.run.planning import NS, Plan
from perfcore.run.target import Target
from perfcore.run.workers import Worker
from perfcore.versions import versions
from perfcore.workload.dialect import Dialect
from perfcore.workload.selection import Selected
from perfcore_ext.clock import monotonic_ns
from perfcore_ext.control import NO_LIMIT, Control


def run_facts(
    options: StressOptions, dialect: Dialect, target: Target, plan: Plan, rows: int, selected: Selected
) -> dict[str, Any]:
    """What run.json says of the run itself. Nothing in it is secret."""
    return {
        "command": ["perfcore", *redacted_command(sys.argv[1:])],
        "options": redacted(options),
        "url": redacted_url(target.urls[0]),
        "urls": [redacted_url(url) for url in target.urls],
        "proxy": target.transport.proxy or None,
        "simulated": target.simulated,
        "model": target.model,
        "dialect": dialect.name,
        "rows": rows,
        "datasets": selected.sources,
        "plan": {
            "workers": plan.workers,
            "concurrency": plan.concurrency,
            "rate": plan.rate,
            "arrivals": arrivals_facts(plan),
            "requests": None if plan.total == NO_LIMIT else plan.total,
            "duration_s": options.duration_s,
            "warmups": plan.warmups,
            "prefix_cache": {"intended_ratio": selected.cache_ratio} if selected.cache_ratio is not None else None,
        },
        "clock": {"monotonic_ns": monotonic_ns()},
        "versions": versions(),
    }


def transport_facts(options: StressOptions, target: Target) -> dict[str, Any]:
    """What the report has to say of how requests travelled."""
    return {
        "note": "transport",
        "urls": [redacted_url(url) for url in target.urls],
        "proxy": target.transport.proxy,
        "insecure": options.insecure,
        "connections": options.connections,
    }


def worker_facts(worker: Worker, before: dict[str, int], control: Control, wall_ns: int) -> dict[str, Any]:
    """What a worker did during the measured phase."""
    now = control.counters(worker.number)
    return {
        "note": "worker",
        "worker": worker.number,
        "wall_s": wall_ns / NS,
        "cpu_s": (now["cpu_ns"] - before["cpu_ns"]) / NS,
        "requests": now["completed"] - before["completed"],
        "connections": now["connections"] - before["connections"],
        "loops": now["wake_ups"] - before["wake_ups"],
        "reads": now["reads"] - before["reads"],
        "busy_s": (now["busy_ns"] - before["busy_ns"]) / NS,
        "peak_in_flight": now["peak_in_flight"],
        "ring_full_waits": now["ring_full_waits"],
        "ring_peak_waiting_bytes": now["ring_peak_waiting_bytes"],
    }


def arrivals_facts(plan: Plan) -> dict[str, Any] | None:
    """How requests were to be spread in time, and how many; None for a closed loop."""
    return None if plan.arrivals is None else dataclasses.asdict(plan.arrivals) | {"count": plan.total}
