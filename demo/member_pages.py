"""Pages for members: home and channel."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from demo.channels import find_channel
from demo.login import LOGIN_FIRST, WRONG
from demo.pages import channel_page, home_page, notice_page
from demo.sessions import Sessions


class MemberPages:
    """What a visitor sees after the log-in."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def show_home(self, request: Request) -> Response:
        """Show the first page; or, on `/?error=1`, that a log-in has failed."""
        if "error" in request.query_params:
            return HTMLResponse(notice_page("Entrar", WRONG))
        if self._sessions.find_logged_in(request.cookies) is None:
            return LOGIN_FIRST
        return HTMLResponse(home_page())

    async def show_channel(self, request: Request) -> Response:
        """Show one channel's page."""
        if self._sessions.find_logged_in(request.cookies) is None:
            return LOGIN_FIRST
        channel = find_channel(request.path_params["channel_id"])
        if channel is None:
            notice = notice_page("404 Não encontrado", "Este canal não existe.")
            return HTMLResponse(notice, status_code=404)
        return HTMLResponse(channel_page(channel))
