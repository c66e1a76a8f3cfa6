"""The stand-in TubeHunt: its routes."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from demo.account import Account
from demo.channel_list import ChannelList
from demo.controls import make_controls
from demo.fault_state import FaultState
from demo.faults import Faults
from demo.images import make_image
from demo.login import LoginPages
from demo.member_pages import MemberPages
from demo.pages import notice_page
from demo.request_log import RequestLog, make_entries
from demo.sessions import Sessions

_Page = Callable[[Request], Awaitable[Response]]


def create_app(account: Account, bad_days: Faults, latency_ms: int = 0) -> Starlette:
    """Build the site; each page waits `latency_ms` before it answers, images do not."""
    day, sessions, requests = FaultState(bad_days), Sessions(), make_entries()
    login, members = LoginPages(account, sessions, day), MemberPages(sessions)

    def page(path: str, show: _Page, method: str = "GET") -> Route:
        async def show_after_a_while(request: Request) -> Response:
            await asyncio.sleep(latency_ms / 1000)
            return await show(request)

        return Route(path, show_after_a_while, methods=[method])

    async def show_frame(_request: Request) -> Response:
        await asyncio.sleep(day.faults.slow_frame_ms / 1000)
        return HTMLResponse(notice_page("Anúncio", "Anuncie aqui.", is_error=False))

    async def show_image(request: Request) -> Response:
        name = request.path_params["name"]
        if name == "banner.gif":
            await asyncio.sleep(day.faults.slow_image_ms / 1000)
        return Response(make_image(name), media_type="image/gif")

    return Starlette(
        routes=[
            page("/", members.show_home),
            page("/login", login.show),
            page("/login", login.submit, "POST"),
            page("/long/", ChannelList(sessions, day).show),
            page("/channel/{channel_id}", members.show_channel),
            Route("/frame", show_frame),
            Route("/img/{name:path}", show_image),
            Mount("/static", StaticFiles(directory=Path(__file__).parent / "static")),
            make_controls(day, requests),
        ],
        middleware=[Middleware(RequestLog, entries=requests)],
    )
