"""Error responses of a site with a fault."""

from typing import Literal

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from demo.connection import NoAnswer, connection_of
from demo.fault_state import FaultState
from demo.pages import notice_page

_TITLES = {
    429: "Muitas requisições",
    500: "Erro interno do servidor",
    503: "Serviço indisponível",
}


def status_response(status: Literal[429, 500, 503], retry_after_s: int | None) -> Response:
    """Make an error answer, with `Retry-After` in seconds if one is given."""
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    html = notice_page(f"{status} {_TITLES[status]}", "Tente novamente mais tarde.")
    return HTMLResponse(html, status_code=status, headers=headers)


def list_error(request: Request, day: FaultState) -> Response | None:
    """Return what strikes a list request before the site has looked at it, if anything does."""
    if day.take("reset"):
        connection_of(request).reset()
        return NoAnswer(day.given_up)
    if day.take("status_503"):
        return status_response(503, day.faults.retry_after)
    if day.take("status_429"):
        return status_response(429, day.faults.retry_after)
    if day.take("status_500"):
        return status_response(500, day.faults.retry_after)
    return None
