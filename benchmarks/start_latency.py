"""Claim: a start answers in milliseconds, also with 50 in flight, beside one that does nothing."""

from benchmarks.load_generator import Latencies, load
from garimpo.local_stack.stack import Stack

IN_FLIGHT = 50
REQUESTS = 3000
ROUNDS = 3


def run() -> None:
    """Measure both in turn, on one API and one Redis, and print each round."""
    print(f"start, {IN_FLIGHT} in flight, {REQUESTS} requests a round (ms):")
    with Stack() as stack:
        stack.redis()
        api = stack.api()
        starts = f"{api.url}/api/v1/tubehunt/scrape-channels/start"
        for number in range(1, ROUNDS + 1):
            nothing = load(
                f"{api.url}/api/live", method="GET", in_flight=IN_FLIGHT, requests=REQUESTS
            )
            start = load(starts, method="POST", in_flight=IN_FLIGHT, requests=REQUESTS)
            print(f"  round {number}: does nothing {_row(nothing)}   start {_row(start)}")


def _row(latencies: Latencies) -> str:
    return f"p50 {latencies.p50:6.1f}  p99 {latencies.p99:6.1f}  {latencies.per_second:5.0f}/s"
