"""Error responses of the injected faults."""

from typing import Literal

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from demo.connection import NoResponse, get_connection
from demo.fault_state import FaultState
from demo.pages import render_notice

_TITLES = {
    429: "Muitas requisições",
    500: "Erro interno do servidor",
    503: "Serviço indisponível",
}


def make_error(status: Literal[429, 500, 503], retry_after_s: int | None) -> Response:
    """Return an error response.

    Args:
        status: Its status code.
        retry_after_s: Value of `Retry-After` in seconds; None omits it.
    """
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    html = render_notice(f"{status} {_TITLES[status]}", "Tente novamente mais tarde.")
    return HTMLResponse(html, status_code=status, headers=headers)


def make_list_error(request: Request, fault_state: FaultState) -> Response | None:
    """Return the injected error of a list request; None if there is none."""
    if fault_state.use("reset"):
        get_connection(request).reset()
        return NoResponse(fault_state.hanging_reset)
    if fault_state.use("status_503"):
        return make_error(503, fault_state.faults.retry_after)
    if fault_state.use("status_429"):
        return make_error(429, fault_state.faults.retry_after)
    if fault_state.use("status_500"):
        return make_error(500, fault_state.faults.retry_after)
    return None
