"""Login form of the demo site: `/login`."""

from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from demo.account import Account
from demo.error_responses import make_error
from demo.fault_state import FaultState
from demo.pages import render_login
from demo.sessions import COOKIE, Session, Sessions

LOGIN_FAILED = "E-mail ou senha inválidos."
EXPIRED = "Sua sessão expirou. Tente novamente."
ERROR_URL = "/?error=1"

#: Response of the members' pages without a login.
LOGIN_REQUIRED = RedirectResponse("/login", status_code=302)


class LoginPages:
    """Login form and its submission."""

    def __init__(self, account: Account, sessions: Sessions, fault_state: FaultState) -> None:
        self._account = account
        self._sessions = sessions
        self._fault_state = fault_state

    async def show(self, request: Request) -> Response:
        """Respond with the empty form, in a session with its CSRF token."""
        if self._fault_state.use("login_status_503"):
            return make_error(503, self._fault_state.faults.retry_after)
        return self._show_form(self._sessions.find(request.cookies))

    async def submit(self, request: Request) -> Response:
        """Redirect to `/` after a successful login; otherwise show the form with the reason."""
        if self._fault_state.use("login_status_503"):
            return make_error(503, self._fault_state.faults.retry_after)
        # Starlette's form parser needs another package (python-multipart).
        form = dict(
            parse_qsl((await request.body()).decode(errors="replace"), keep_blank_values=True)
        )
        session = self._sessions.find(request.cookies)
        if session is None or form.get("_token") != session.csrf_token:
            return self._show_form(session, error=EXPIRED, status=403)
        email = form.get("email", "")
        is_valid = self._account.matches(email, form.get("password", ""))
        if not is_valid or self._fault_state.faults.wrong_password:
            if self._fault_state.faults.error_url_login:
                return RedirectResponse(ERROR_URL, status_code=303)
            return self._show_form(session, email=email, error=LOGIN_FAILED)
        self._sessions.end(session)
        response = RedirectResponse("/", status_code=303)
        _set_cookie(response, self._sessions.start(is_logged_in=True))
        return response

    def _show_form(
        self, session: Session | None, *, email: str = "", error: str = "", status: int = 200
    ) -> Response:
        session = session or self._sessions.start()
        enable_after_ms = self._fault_state.faults.login_late_button_ms
        html = render_login(
            session.csrf_token, enable_after_ms=enable_after_ms, email=email, error=error
        )
        response = HTMLResponse(html, status_code=status)
        _set_cookie(response, session)
        return response


def _set_cookie(response: Response, session: Session) -> None:
    response.set_cookie(COOKIE, session.id, httponly=True, samesite="lax")
