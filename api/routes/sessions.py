"""`…/sessions`: the sessions of a site's accounts. They can be written, but never read."""

import logging
import time
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from fastapi import Path, Request, Response
from pydantic import BaseModel, Field

from api.access.caller import CallerDep
from api.dependencies import ERRORS, Responses, ServicesDep, json_response
from api.errors import (
    ErrorBody,
    FieldError,
    InvalidParametersError,
    SessionKeysMissingError,
    SessionNotFoundError,
    TooLargeError,
)
from api.request_body import read_bytes
from jobs import schemas
from jobs.model.job import ACCOUNT_PATTERN, DEFAULT_ACCOUNT, MAX_ACCOUNT_LENGTH
from jobs.session_cipher import IMPORTED
from jobs.store.account_sessions import AccountSession, AccountSessions, SessionState
from scraper.browser_state import MAX_STATE_LENGTH
from scraper.imported_session import SessionFormatError, read_session

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Site:
    """The site of a router; `bind` makes it available to the router's handlers."""

    name: str

    async def bind(self, request: Request) -> None:
        """Attach this site to a request (a dependency of the router)."""
        request.state.site = self.name


AccountPath = Annotated[
    str,
    Path(
        pattern=ACCOUNT_PATTERN,
        max_length=MAX_ACCOUNT_LENGTH,
        description="The account's name.",
        examples=[DEFAULT_ACCOUNT],
    ),
]


class SessionInfo(BaseModel):
    """The session of an account, without its value."""

    account: schemas.Account
    state: SessionState = Field(
        description="`stored`: the next job starts with it. `logging_in`: a job is logging in. "
        "`awaited`: jobs wait for a session to be imported. `none`: the next job logs in.",
        examples=[SessionState.STORED],
    )
    source: Literal["login", "import"] | None = Field(
        description="Where it comes from; null without a session.", examples=["login"]
    )
    created_at: str | None = Field(
        description="When the account logged in, or the session was imported; null without one.",
        examples=["2026-01-01T22:00:05.000000+00:00"],
    )
    age_seconds: float | None = Field(
        description="The time since then; null without a session.", examples=[35.2]
    )
    last_used_at: str | None = Field(
        description="When a job has last taken it; null if none has.",
        examples=["2026-01-01T22:00:40.200000+00:00"],
    )


class SessionList(BaseModel):
    """The sessions of a site's accounts, by name."""

    sessions: list[SessionInfo]


#: A storageState is the example: it has all that a session consists of.
_EXAMPLE: Final = {
    "cookies": [
        {
            "name": "sid",
            "value": "…",
            "domain": "shop.example",
            "path": "/",
            "expires": -1,
            "httpOnly": True,
            "secure": True,
            "sameSite": "Lax",
        }
    ],
    "origins": [
        {"origin": "https://shop.example", "localStorage": [{"name": "token", "value": "…"}]}
    ],
}
IMPORT_BODY: Final[dict[str, Any]] = {
    "required": True,
    "description": "Playwright's `storageState`; a JSON list of cookies, as browsers' extensions "
    "export it; or a cookie file in Netscape's format.",
    "content": {
        "application/json": {
            "schema": {"anyOf": [{"type": "object"}, {"type": "array", "items": {}}]},
            "example": _EXAMPLE,
        },
        "text/plain": {"schema": {"type": "string"}},
    },
}
IMPORT_RESPONSES: Final[Responses] = {
    409: {
        "model": ErrorBody,
        "description": "The API has no SESSION_KEYS to encrypt it with (`session_keys_missing`).",
    },
    413: {"model": ErrorBody, "description": "The session is too large."},
    422: {
        "model": ErrorBody,
        "description": "The account's name is invalid, or the body is no session "
        "(`invalid_parameters`).",
    },
    **ERRORS,
}
CHANGE_RESPONSES: Final[Responses] = {
    404: {
        "model": ErrorBody,
        "description": "No session of this account is stored (`session_not_found`).",
    },
    422: {"model": ErrorBody, "description": "The account's name is invalid."},
    **ERRORS,
}


async def list_sessions(request: Request, services: ServicesDep) -> Response:
    """Return age, last use and state of each session that is stored in Redis, never its value."""
    sessions = await services.sessions.list_all(request.state.site)
    return json_response(SessionList(sessions=[_build_info(session) for session in sessions]))


async def import_session(
    request: Request, account: AccountPath, services: ServicesDep, caller: CallerDep
) -> Response:
    """Store the session of another browser; the next job of the account starts with it."""
    if services.session_cipher is None:
        raise SessionKeysMissingError
    text = (await read_bytes(request, MAX_STATE_LENGTH)).decode("utf-8", "replace")
    try:
        session = read_session(text, time.time()).encode()
    except SessionFormatError as error:
        field_error = FieldError(f"session_{error.reason}", "body", {"entry": error.entry})
        raise InvalidParametersError([field_error]) from error
    if len(session) > MAX_STATE_LENGTH:
        raise TooLargeError(limit=MAX_STATE_LENGTH)
    site: str = request.state.site
    await services.sessions.put(site, account, services.session_cipher.encrypt(IMPORTED, session))
    _log("session imported", site, account, caller.name)
    return await _respond(services.sessions, site, account)


async def renew_session(
    request: Request, account: AccountPath, services: ServicesDep, caller: CallerDep
) -> Response:
    """Forget the session, but not the account: the next job logs in. Running jobs go on with it."""
    site: str = request.state.site
    if not await services.sessions.renew(site, account):
        raise SessionNotFoundError
    _log("session to be renewed", site, account, caller.name)
    return await _respond(services.sessions, site, account)


async def delete_session(
    request: Request, account: AccountPath, services: ServicesDep, caller: CallerDep
) -> Response:
    """Forget the session. Running jobs go on with it, and do not store it again."""
    site: str = request.state.site
    if not await services.sessions.delete(site, account):
        raise SessionNotFoundError
    _log("session deleted", site, account, caller.name)
    return Response(status_code=204)


def _log(event: str, site: str, account: str, caller: str) -> None:
    logger.info(event, extra={"site": site, "account": account, "key": caller})


async def _respond(sessions: AccountSessions, site: str, account: str) -> Response:
    session = await sessions.find(site, account)
    if session is None:  # it was deleted a moment ago
        raise SessionNotFoundError
    return json_response(_build_info(session))


def _build_info(session: AccountSession) -> SessionInfo:
    created, used = session.created_at, session.used_at
    source: Literal["login", "import"] = "import" if session.is_imported else "login"
    return SessionInfo(
        account=session.account,
        state=session.state,
        source=None if session.is_imported is None else source,
        created_at=schemas.format_timestamp(created) if created else None,
        age_seconds=max(0.0, (session.now - created).total_seconds()) if created else None,
        last_used_at=schemas.format_timestamp(used) if used else None,
    )
