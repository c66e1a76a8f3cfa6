"""The site's own controls for tests, below `/_demo/`: bad days, the request log, health."""

from collections import deque
from dataclasses import asdict
from json import JSONDecodeError

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from demo.fault_state import FaultState
from demo.faults import FaultError, parse_faults
from demo.request_log import CONTROLS, LoggedRequest


def make_controls(day: FaultState, requests: deque[LoggedRequest]) -> Mount:
    """Make the routes that read and change a site's day and read its log."""

    async def get_bad_days(_request: Request) -> Response:
        return JSONResponse(day.faults.model_dump())

    async def put_bad_days(request: Request) -> Response:
        try:
            values = await request.json()
            day.begin(parse_faults(values))
        except FaultError as error:
            return JSONResponse({"detail": str(error)}, status_code=422)
        except (JSONDecodeError, UnicodeDecodeError):
            return JSONResponse({"detail": "The body is not JSON."}, status_code=422)
        return JSONResponse(day.faults.model_dump())

    async def get_requests(_request: Request) -> Response:
        return JSONResponse([asdict(request) for request in requests])

    async def clear_requests(_request: Request) -> Response:
        requests.clear()
        return Response(status_code=204)

    async def give_up(_request: Request) -> Response:
        day.give_up()
        return Response(status_code=204)

    return Mount(
        CONTROLS.rstrip("/"),
        routes=[
            Route("/bad-days", get_bad_days, methods=["GET"]),
            Route("/bad-days", put_bad_days, methods=["POST"]),
            Route("/requests", get_requests, methods=["GET"]),
            Route("/requests", clear_requests, methods=["DELETE"]),
            Route("/give-up", give_up, methods=["POST"]),
            Route("/health", _health, methods=["GET"]),
        ],
    )


async def _health(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})
