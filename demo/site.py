"""Routes of the demo site."""

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
from demo.pages import render_notice
from demo.request_log import RequestLog, make_entries
from demo.sessions import Sessions

_Page = Callable[[Request], Awaitable[Response]]


def create_app(account: Account, faults: Faults, latency_ms: int = 0) -> Starlette:
    """Create the site.

    Args:
        account: The only account that can log in.
        faults: Faults to inject.
        latency_ms: Response time of pages in ms; images have none.
    """
    fault_state = FaultState(faults)
    sessions = Sessions()
    requests = make_entries()
    login = LoginPages(account, sessions, fault_state)
    members = MemberPages(sessions)

    def page(path: str, show: _Page, method: str = "GET") -> Route:
        async def show_with_latency(request: Request) -> Response:
            await asyncio.sleep(latency_ms / 1000)
            return await show(request)

        return Route(path, show_with_latency, methods=[method])

    async def show_frame(_request: Request) -> Response:
        await asyncio.sleep(fault_state.faults.slow_frame_ms / 1000)
        return HTMLResponse(render_notice("Anúncio", "Anuncie aqui.", is_error=False))

    async def show_image(request: Request) -> Response:
        name = request.path_params["name"]
        if name == "banner.gif" or name.startswith("gallery/"):
            await asyncio.sleep(fault_state.faults.slow_image_ms / 1000)
        return Response(make_image(name), media_type="image/gif")

    return Starlette(
        routes=[
            page("/", members.show_home),
            page("/login", login.show),
            page("/login", login.submit, "POST"),
            page("/long/", ChannelList(sessions, fault_state).show),
            page("/channel/{channel_id}", members.show_channel),
            Route("/frame", show_frame),
            Route("/img/{name:path}", show_image),
            Mount("/static", StaticFiles(directory=Path(__file__).parent / "static")),
            make_controls(fault_state, requests),
        ],
        middleware=[Middleware(RequestLog, entries=requests)],
    )
