"""Benchmarks of the README's claims: `python -m benchmarks [NAME]...`, by default all."""

import sys

from benchmarks import (
    cold_job,
    event_latency,
    job_list,
    large_result,
    redis_memory,
    start_latency,
    takeover,
    worker_size,
)

CLAIMS = {
    "cold_job": cold_job.run,
    "job_list": job_list.run,
    "large_result": large_result.run,
    "redis_memory": redis_memory.run,
    "start_latency": start_latency.run,
    "takeover": takeover.run,
    "waiting": event_latency.run,
    "worker_size": worker_size.run,
}


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all; return the exit code."""
    unknown = [name for name in names if name not in CLAIMS]
    if unknown:
        print(f"unknown benchmark: {', '.join(unknown)}; available: {', '.join(CLAIMS)}")
        return 2
    for name in names or CLAIMS:
        CLAIMS[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
