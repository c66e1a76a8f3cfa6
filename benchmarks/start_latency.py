"""Claim: starts respond within milliseconds with 50 in flight; compared with a no-op endpoint."""

from benchmarks.jobs import START_PATH
from benchmarks.load_generator import Latencies, load
from garimpo.local_stack.stack import Stack

IN_FLIGHT = 50
REQUESTS = 3000
ROUNDS = 3


def run() -> None:
    """Measure both alternately, with one API and one Redis; print each round."""
    print(f"start, {IN_FLIGHT} in flight, {REQUESTS} requests per round (ms):")
    with Stack() as stack:
        stack.redis()
        api = stack.api()
        for number in range(1, ROUNDS + 1):
            no_op = load(
                f"{api.url}/api/live", method="GET", in_flight=IN_FLIGHT, requests=REQUESTS
            )
            start = load(
                f"{api.url}{START_PATH}", method="POST", in_flight=IN_FLIGHT, requests=REQUESTS
            )
            print(f"  round {number}: no-op {_format(no_op)}   start {_format(start)}")


def _format(latencies: Latencies) -> str:
    return f"p50 {latencies.p50:6.1f}  p99 {latencies.p99:6.1f}  {latencies.per_second:5.0f}/s"
