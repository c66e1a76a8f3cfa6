"""The list of channels: `/long/`."""

import asyncio

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from demo.connection import NoAnswer
from demo.error_responses import list_error
from demo.fault_state import FaultState
from demo.listing import Listing, parse_listing
from demo.login import LOGIN_FIRST
from demo.pages import list_page, notice_page
from demo.sessions import Sessions


class ChannelList:
    """The list, as it behaves on the day that the site is having."""

    def __init__(self, sessions: Sessions, day: FaultState) -> None:
        self._sessions = sessions
        self._day = day

    async def show(self, request: Request) -> Response:
        """Show a page of the list to who is logged in, unless the day forbids it."""
        await asyncio.sleep(self._day.faults.slow_ms / 1000)
        if (trouble := list_error(request, self._day)) is not None:
            return trouble
        session = self._sessions.find_logged_in(request.cookies)
        if session is None:
            return LOGIN_FIRST
        if self._day.ends_session():
            self._sessions.end(session)
            return LOGIN_FIRST
        return self._answer(parse_listing(request.query_params, self._day.faults))

    def _answer(self, listing: Listing) -> Response:
        bad = self._day.faults
        if listing.page == bad.hang_page:
            return NoAnswer(self._day.given_up)
        if bad.maintenance_page is not None and listing.page >= bad.maintenance_page:
            notice = notice_page("Manutenção", "Voltamos em breve.", is_error=False)
            return HTMLResponse(notice)
        return HTMLResponse(list_page(listing))
