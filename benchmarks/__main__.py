"""Benchmarks: `python -m benchmarks [NAME]...`.

Without a name all claims of docs/performance.md are measured, and one table is printed. A claim's
name measures that alone. The other names print figures of other documents, and `trace` where a
job's time goes.
"""

import sys

from benchmarks import (
    api_claims,
    event_latency,
    fleet_claims,
    job_list,
    key_cost,
    large_result,
    redis_memory,
    site_claims,
    takeover,
    trace,
    worker_size,
)
from benchmarks.comparison import format_table

#: In the order of the table.
CLAIMS = {**site_claims.CLAIMS, **api_claims.CLAIMS, **fleet_claims.CLAIMS}
FIGURES = {
    "job_list": job_list.run,
    "key_cost": key_cost.run,
    "large_result": large_result.run,
    "redis_memory": redis_memory.run,
    "takeover": takeover.run,
    "trace": trace.run,
    "waiting": event_latency.run,
    "worker_size": worker_size.run,
}


def main(names: list[str]) -> int:
    """Measure the named claims and figures, or all claims; return the exit code."""
    known = {**CLAIMS, **FIGURES}
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"unknown benchmark: {', '.join(unknown)}; available: {', '.join(known)}")
        return 2
    verdicts = []
    for name in names or CLAIMS:
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        if name in CLAIMS:
            verdict = CLAIMS[name].run()
            verdicts.append((name, verdict))
            print(f"  {verdict.measured}", file=sys.stderr, flush=True)
        else:
            FIGURES[name]()
    if verdicts:
        print(format_table(verdicts))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
