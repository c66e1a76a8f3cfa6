"""List of channels: `/long/`."""

import asyncio

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from demo.connection import NoResponse
from demo.error_responses import make_list_error
from demo.fault_state import FaultState
from demo.listing import Listing, parse_listing
from demo.login import LOGIN_REQUIRED
from demo.pages import render_list, render_notice
from demo.sessions import Sessions


class ChannelList:
    """List of channels, with the injected faults."""

    def __init__(self, sessions: Sessions, fault_state: FaultState) -> None:
        self._sessions = sessions
        self._fault_state = fault_state

    async def show(self, request: Request) -> Response:
        """Respond with a page of the list, a redirect to the login, or an injected error."""
        await asyncio.sleep(self._fault_state.faults.slow_ms / 1000)
        error = make_list_error(request, self._fault_state)
        if error is not None:
            return error
        session = self._sessions.find_logged_in(request.cookies)
        if session is None:
            return LOGIN_REQUIRED
        if self._fault_state.should_end_session():
            self._sessions.end(session)
            return LOGIN_REQUIRED
        return self._respond(parse_listing(request.query_params, self._fault_state.faults))

    def _respond(self, listing: Listing) -> Response:
        faults = self._fault_state.faults
        if listing.page == faults.hang_page:
            return NoResponse(self._fault_state.hanging_reset)
        if faults.maintenance_page is not None and listing.page >= faults.maintenance_page:
            notice = render_notice("Manutenção", "Voltamos em breve.", is_error=False)
            return HTMLResponse(notice)
        return HTMLResponse(render_list(listing))
