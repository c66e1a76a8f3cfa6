"""Control endpoints for tests, below `/_demo/`: injected faults, request log, health."""

from collections import deque
from dataclasses import asdict
from json import JSONDecodeError

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from demo.fault_state import FaultState
from demo.faults import FaultError, parse_faults
from demo.request_log import CONTROLS, LoggedRequest


def make_controls(fault_state: FaultState, requests: deque[LoggedRequest]) -> Mount:
    """Return the routes that read and set the injected faults and read the request log."""

    async def get_faults(_request: Request) -> Response:
        return JSONResponse(fault_state.faults.model_dump())

    async def set_faults(request: Request) -> Response:
        try:
            values = await request.json()
            fault_state.set_faults(parse_faults(values))
        except FaultError as error:
            return JSONResponse({"detail": str(error)}, status_code=422)
        except (JSONDecodeError, UnicodeDecodeError):
            return JSONResponse({"detail": "The body is not valid JSON."}, status_code=422)
        return JSONResponse(fault_state.faults.model_dump())

    async def get_requests(_request: Request) -> Response:
        return JSONResponse([asdict(request) for request in requests])

    async def clear_requests(_request: Request) -> Response:
        requests.clear()
        return Response(status_code=204)

    async def reset_hanging(_request: Request) -> Response:
        fault_state.reset_hanging()
        return Response(status_code=204)

    return Mount(
        CONTROLS.rstrip("/"),
        routes=[
            Route("/bad-days", get_faults, methods=["GET"]),
            Route("/bad-days", set_faults, methods=["POST"]),
            Route("/requests", get_requests, methods=["GET"]),
            Route("/requests", clear_requests, methods=["DELETE"]),
            Route("/give-up", reset_hanging, methods=["POST"]),
            Route("/health", _health, methods=["GET"]),
        ],
    )


async def _health(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})
