"""Claim: API keys, scopes and limits cost a tenth of the API's rate at most."""

from statistics import median

import httpx

from benchmarks.jobs import START_PATH
from benchmarks.load_generator import load
from garimpo.local_stack.stack import Stack

IN_FLIGHT = 16
REQUESTS = {"start": 800, "poll": 1600, "result": 400}
ROUNDS = 10
TARGET = 0.9
KEY = "key-of-the-benchmark-0123456789"
#: Four pages of 50.
PARAMS = {"pages": 4}


def run() -> None:
    """Measure an API with keys and one without in turn, on one Redis; print the medians."""
    print(f"rate with API keys / without, {IN_FLIGHT} clients, {ROUNDS} pairs:")
    limits = {"RATE_LIMIT_STARTS": "1000000/minute", "RATE_LIMIT_READS": "1000000/minute"}
    limits |= {"MAX_WAITING_JOBS": "1000000", "MAX_WAITING_JOBS_PER_KEY": "1000000"}
    limits |= {"MAX_STORED_JOBS": "1000000", "MAX_STORED_JOBS_PER_KEY": "1000000"}
    with Stack(settings=limits) as stack:
        stack.redis()
        stack.site("--latency-ms", "0")
        without = stack.api()
        keyed = stack.api({"API_KEYS": f"bench:{KEY},other:{KEY[::-1]}"})
        headers = {"X-API-Key": KEY}
        apis = [(without.url, {}), (keyed.url, headers)]
        worker = stack.worker()
        completed = [_complete_job(url, sent) for url, sent in apis]
        worker.stop()  # from now on jobs wait
        waiting = [_start_job(url, sent) for url, sent in apis]
        paths = {
            "start": [START_PATH, START_PATH],
            "poll": [_result_path(job_id) for job_id in waiting],
            "result": [_result_path(job_id) for job_id in completed],
        }
        for name, requests in REQUESTS.items():
            method = "POST" if name == "start" else "GET"
            ratios = []
            for _ in range(ROUNDS):
                rates = [
                    load(
                        url + path,
                        method=method,
                        in_flight=IN_FLIGHT,
                        requests=requests,
                        headers=sent,
                    ).per_second
                    for (url, sent), path in zip(apis, paths[name], strict=True)
                ]
                ratios.append(rates[1] / rates[0])
            middle = median(ratios)
            verdict = "holds" if middle >= TARGET else "does not hold"
            print(
                f"  {name:6} {middle:.2f} ({min(ratios):.2f} to {max(ratios):.2f}); "
                f"target {TARGET}: {verdict}"
            )


def _result_path(job_id: str) -> str:
    return f"{START_PATH.removesuffix('/start')}/result/{job_id}"


def _start_job(url: str, headers: dict[str, str]) -> str:
    response = httpx.post(url + START_PATH, json=PARAMS, headers=headers, trust_env=False)
    job_id: str = response.json()["job_id"]
    return job_id


def _complete_job(url: str, headers: dict[str, str]) -> str:
    job_id = _start_job(url, headers)
    address = f"{url}{_result_path(job_id)}?wait=60"
    body = httpx.get(address, headers=headers, timeout=90, trust_env=False).json()
    if body["status"] != "completed":
        raise RuntimeError(body)
    return job_id
