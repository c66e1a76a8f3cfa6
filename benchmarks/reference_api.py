"""The API with further endpoints to compare its own with: `python -m benchmarks.reference_api`.

They are in the same app, so routing, middleware and server cost the same.
"""

import argparse
from uuid import uuid4

import uvicorn
from fastapi import Request, Response

from api.app import app
from api.slow_requests import DeadlineProtocol
from jobs.celery_app import make_celery
from jobs.redis.async_client import connect
from jobs.settings import JobSettings

SEND_TASK = "/api/reference/send-task"
ONE_KEY = "/api/reference/key"
#: GET returns what PUT has left in memory.
MEMORY = "/api/reference/memory"
KEY = "benchmark:key"

_settings = JobSettings()
_celery = make_celery(
    _settings.redis_url.get_secret_value(),
    result_ttl=_settings.result_ttl,
    lease_policy=_settings.lease_policy,
)
_redis = connect(_settings.redis_url.get_secret_value())
_memory: list[bytes] = [b""]


async def send_task() -> Response:
    """Enqueue a task; no worker consumes its queue."""
    # In a thread, as for a `def`, it would be slower.
    result = _celery.send_task("benchmark", args=[str(uuid4())], queue="benchmark")
    return Response(f'{{"job_id": "{result.id}"}}', 202, media_type="application/json")


async def get_key() -> Response:
    """Read one key."""
    return Response(await _redis.get(KEY), media_type="application/json")


async def get_memory() -> Response:
    """Return what is in memory."""
    return Response(_memory[0], media_type="application/json")


async def put_memory(request: Request) -> Response:
    """Replace what is in memory."""
    _memory[0] = await request.body()
    return Response(status_code=204)


app.add_api_route(SEND_TASK, send_task, methods=["POST"])
app.add_api_route(ONE_KEY, get_key, methods=["GET"])
app.add_api_route(MEMORY, get_memory, methods=["GET"])
app.add_api_route(MEMORY, put_memory, methods=["PUT"])


def main() -> None:
    """Serve it as `python -m api` does."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    uvicorn.run(app, port=parser.parse_args().port, http=DeadlineProtocol)


if __name__ == "__main__":
    main()
