"""Members' pages: home and channel."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from demo.channels import find_channel
from demo.login import LOGIN_FAILED, LOGIN_REQUIRED
from demo.pages import render_channel, render_home, render_notice
from demo.sessions import Sessions


class MemberPages:
    """Pages that require a login."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def show_home(self, request: Request) -> Response:
        """Respond with the home page; or on `/?error=1`, that a login failed."""
        if "error" in request.query_params:
            return HTMLResponse(render_notice("Entrar", LOGIN_FAILED))
        if self._sessions.find_logged_in(request.cookies) is None:
            return LOGIN_REQUIRED
        return HTMLResponse(render_home())

    async def show_channel(self, request: Request) -> Response:
        """Respond with the page of a channel."""
        if self._sessions.find_logged_in(request.cookies) is None:
            return LOGIN_REQUIRED
        channel = find_channel(request.path_params["channel_id"])
        if channel is None:
            notice = render_notice("404 Não encontrado", "Este canal não existe.")
            return HTMLResponse(notice, status_code=404)
        return HTMLResponse(render_channel(channel))
