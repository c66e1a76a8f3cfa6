"""The log-in form of the stand-in site: `/login`."""

from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from demo.account import Account
from demo.error_responses import status_response
from demo.fault_state import FaultState
from demo.pages import login_page
from demo.sessions import COOKIE, Session, Sessions

WRONG = "E-mail ou senha inválidos."
EXPIRED = "Sua sessão expirou. Tente novamente."
ERROR_URL = "/?error=1"

#: What pages behind the log-in answer to who is not.
LOGIN_FIRST = RedirectResponse("/login", status_code=302)


class LoginPages:
    """The form, and what happens when it comes back."""

    def __init__(self, account: Account, sessions: Sessions, day: FaultState) -> None:
        self._account = account
        self._sessions = sessions
        self._day = day

    async def show(self, request: Request) -> Response:
        """Show the empty form, in a session that knows its token."""
        if self._day.take("login_status_503"):
            return status_response(503, self._day.faults.retry_after)
        return self._form(self._sessions.find(request.cookies))

    async def submit(self, request: Request) -> Response:
        """Log in: to `/` when all is right, else back to the form with the reason."""
        if self._day.take("login_status_503"):
            return status_response(503, self._day.faults.retry_after)
        # Starlette's own form reader needs one more package, for uploads.
        form = dict(
            parse_qsl((await request.body()).decode(errors="replace"), keep_blank_values=True)
        )
        session = self._sessions.find(request.cookies)
        if session is None or form.get("_token") != session.csrf_token:
            return self._form(session, error=EXPIRED, status=403)
        email = form.get("email", "")
        is_right = self._account.opens_with(email, form.get("password", ""))
        if not is_right or self._day.faults.wrong_password:
            if self._day.faults.error_url_login:
                return RedirectResponse(ERROR_URL, status_code=303)
            return self._form(session, email=email, error=WRONG)
        self._sessions.end(session)
        answer = RedirectResponse("/", status_code=303)
        _set_cookie(answer, self._sessions.start(is_logged_in=True))
        return answer

    def _form(
        self, session: Session | None, *, email: str = "", error: str = "", status: int = 200
    ) -> Response:
        session = session or self._sessions.start()
        late_ms = self._day.faults.login_late_button_ms
        html = login_page(session.csrf_token, enable_after_ms=late_ms, email=email, error=error)
        answer = HTMLResponse(html, status_code=status)
        _set_cookie(answer, session)
        return answer


def _set_cookie(answer: Response, session: Session) -> None:
    answer.set_cookie(COOKIE, session.id, httponly=True, samesite="lax")
