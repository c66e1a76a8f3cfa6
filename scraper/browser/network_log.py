"""What a page has requested and announced, from Chrome's performance log."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urldefrag, urlsplit

from scraper.errors import MAX_QUOTE

#: Chrome's name of every failure of its SOCKS proxy to connect.
PROXY_ERROR: Final = "ERR_SOCKS_CONNECTION_FAILED"
_FIRST_ERROR: Final = 400
# A page decides how much is logged: longer entries are left out, longer texts are cut, and no more
# requests, failures and dialogs are kept. A `data:` URL may have many megabytes.
_MAX_ENTRY: Final = 256 * 1024
_MAX_URL: Final = 8000  # as in snapshots
_MAX_HEADER: Final = 500
_MAX_REQUESTS: Final = 5000
_MAX_FAILURES: Final = 500
_MAX_DIALOGS: Final = 20
_MAX_ANSWERS: Final = 1000
# The headers that are looked at.
_HEADERS: Final = frozenset({"date", "refresh", "retry-after"})
# The statuses of answers without a body.
_NO_CONTENT: Final = frozenset({204, 205, 304})
# What scripts request to draw a page: data, and other scripts (`import()`, JSONP).
_DATA_REQUESTS: Final = frozenset({"XHR", "Fetch"})
_SCRIPT_REQUESTS: Final = _DATA_REQUESTS | {"Script"}


@dataclass(frozen=True)
class ScriptRequest:
    """A request of a page's script."""

    url: str
    #: The same for requests for the same thing: method, URL without its query, and body.
    key: str
    #: Whether it is for data, and not for another script.
    is_for_data: bool = True


@dataclass(frozen=True)
class RequestFailure:
    """A request of a page's script that has failed."""

    request: ScriptRequest
    #: The HTTP status; 0 without an answer.
    status: int
    #: Chrome's name of the failure if there was no answer, such as `ERR_CONNECTION_RESET`.
    error: str

    @property
    def url(self) -> str:
        """The request's URL."""
        return self.request.url

    @property
    def reason(self) -> str:
        """The status as `HTTP 500`, or the error."""
        return f"HTTP {self.status}" if self.status else self.error


@dataclass
class Answer:
    """What a page's script has received, or is about to, of a request whose answers are kept."""

    id: str
    request: ScriptRequest
    #: The same for equal requests, of which only the last one counts.
    identity: tuple[str, ...]
    #: The HTTP status, and Chrome's name of the failure if there was no answer.
    status: int = 0
    error: str = ""
    #: Its size in bytes.
    size: int = 0

    @property
    def failure(self) -> RequestFailure | None:
        """How the request has failed; None if it has not."""
        if self.error or self.status >= _FIRST_ERROR:
            return RequestFailure(self.request, self.status, self.error)
        return None


class NetworkLog:
    """The requests of a frame's latest document, and of its scripts.

    The frame is that of the page itself; requests of the frames in it do not count.
    """

    def __init__(self, frame: str, find_connect_error: Callable[[str], str] = lambda _: "") -> None:
        """Start with a page that has requested nothing.

        Args:
            frame: The frame's id.
            find_connect_error: Returns why the proxy could not connect to the host of a URL; empty
                if unknown.
        """
        self._frame = frame
        self._find_connect_error = find_connect_error
        #: Returns whether the answer to a request of a script for this URL is kept; None: no answer
        #: is.
        self.keeps_answer: Callable[[str], bool] | None = None
        #: The texts of all dialogs (`alert`, `confirm`); a caller may clear it.
        self.dialogs: list[str] = []
        #: How many documents were requested since `expect_document`, redirects apart.
        self.documents = 0
        self.expect_document()

    def expect_document(self) -> None:
        """Forget the latest document: another one is about to be requested."""
        self._start_document("")
        self.documents = 0

    def _start_document(self, request: str) -> None:
        # The id of the document's request is that of the loader of its scripts' requests.
        self._document = request
        self._document_url = ""
        #: The URL that was requested for the latest document, after redirects.
        self.requested_url = ""
        #: The latest document's HTTP status; 0 before its answer.
        self.status = 0
        self._headers: Mapping[str, str] = {}
        #: The requests of the latest document's scripts that have not ended, by their ids.
        self.pending: dict[str, ScriptRequest] = {}
        #: Why the latest document was cut off, or never arrived; Chrome shows the part that has
        #: arrived and never leaves the state "loading", or it shows the document before.
        self.load_error = ""
        #: The name of the file if the latest document is a download; else empty.
        self.download = ""
        #: The requests of the latest document's scripts that have failed.
        self.failures: list[RequestFailure] = []
        #: The answers that are kept, in the order in which they were complete, and those that are
        #: not complete, by their ids.
        self.answers: list[Answer] = []
        self.pending_answers: dict[str, Answer] = {}
        #: Whether the latest document has requested more than are kept.
        self.has_too_many_answers = False

    @property
    def has_refresh(self) -> bool:
        """Whether the latest document's header `Refresh` replaces it after a while."""
        return "refresh" in self._headers

    def retry_after(self, url: str, status: int, now: datetime) -> float | None:
        """Return the Retry-After of the latest document.

        Args:
            url: The document's URL.
            status: Its HTTP status.
            now: The current time of this machine, with its time zone: for a response that does not
                say the server's, in its header `Date`.

        Returns:
            Seconds from then; None if the latest document is another one, or without the header.
        """
        if (urldefrag(url).url, status) != (self._document_url, self.status):
            return None
        value = self._headers.get("retry-after")
        sent_at = parse_http_date(self._headers.get("date", ""))
        return None if value is None else parse_retry_after(value, sent_at or now)

    def feed(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """Take new entries of WebDriver's log `performance`, oldest first."""
        handlers = {
            "Network.requestWillBeSent": self._request,
            "Network.responseReceived": self._respond,
            "Network.dataReceived": self._receive,
            "Network.loadingFinished": self._finish,
            "Network.loadingFailed": self._fail,
            "Page.downloadWillBegin": self._download,
            "Page.javascriptDialogOpening": self._open_dialog,
        }
        for entry in entries:
            if len(entry["message"]) > _MAX_ENTRY:
                continue
            event = json.loads(entry["message"])["message"]
            if handle := handlers.get(event["method"]):
                handle(event["params"])

    def _request(self, params: Mapping[str, Any]) -> None:
        if params.get("frameId") != self._frame:
            return
        request = params["requestId"]
        if params.get("type") == "Document" and request == params["loaderId"]:
            if request != self._document:  # else it was redirected
                self._start_document(request)
                self.documents += 1
            self.requested_url = params["request"]["url"][:_MAX_URL]
        elif params.get("type") in _SCRIPT_REQUESTS and params["loaderId"] == self._document:
            if len(self.pending) < _MAX_REQUESTS:
                self.pending[request] = _describe_request(params)
            self._expect_answer(params)

    def _expect_answer(self, params: Mapping[str, Any]) -> None:
        request, details = params["requestId"], params["request"]
        if (
            self.keeps_answer is None
            or params["type"] not in _DATA_REQUESTS
            or details.get("method") == "HEAD"
            or not (request in self.pending_answers or self.keeps_answer(details["url"]))
        ):
            return
        if len(self.answers) + len(self.pending_answers) >= _MAX_ANSWERS:
            self.has_too_many_answers = True
            return
        # Chrome leaves out what is long, or no text.
        body = details.get("postData", request if details.get("hasPostData") else "")
        identity = (details.get("method", "GET"), details["url"], body)
        described = _describe_request(params)
        self.pending_answers[request] = Answer(request, described, identity)

    def _respond(self, params: Mapping[str, Any]) -> None:
        request, response = params["requestId"], params["response"]
        if request == self._document:
            self._document_url = urldefrag(response["url"][:_MAX_URL]).url
            self.status = response["status"]
            headers = {name.lower(): value for name, value in response["headers"].items()}
            self._headers = {
                name: headers[name][:_MAX_HEADER] for name in _HEADERS & headers.keys()
            }
            return
        if answer := self.pending_answers.get(request):
            answer.status = response["status"]
        if script_request := self.pending.get(request):
            # A script may try again what has failed.
            self.failures = [f for f in self.failures if f.request.key != script_request.key]
            if response["status"] >= _FIRST_ERROR and script_request.is_for_data:
                self._add_failure(RequestFailure(script_request, response["status"], ""))

    def _receive(self, params: Mapping[str, Any]) -> None:
        if answer := self.pending_answers.get(params["requestId"]):
            answer.size += params["dataLength"]

    def _finish(self, params: Mapping[str, Any]) -> None:
        self.pending.pop(params["requestId"], None)
        answer = self.pending_answers.pop(params["requestId"], None)
        if answer and answer.status not in _NO_CONTENT:
            self._keep_answer(answer)

    def _keep_answer(self, answer: Answer) -> None:
        for index, known in enumerate(self.answers):
            if known.identity == answer.identity:
                self.answers[index] = answer
                return
        self.answers.append(answer)

    def _download(self, params: Mapping[str, Any]) -> None:
        # Other downloads of a frame are started by its page.
        if params["frameId"] == self._frame and self.load_error == "ERR_ABORTED":
            self.download = (params["suggestedFilename"] or params["url"])[:MAX_QUOTE]

    def _open_dialog(self, params: Mapping[str, Any]) -> None:
        if len(self.dialogs) < _MAX_DIALOGS:
            self.dialogs.append(params["message"][:MAX_QUOTE])

    def _fail(self, params: Mapping[str, Any]) -> None:
        request = params["requestId"]
        error = params["errorText"].removeprefix("net::")
        script_request = self.pending.pop(request, None)
        answer = self.pending_answers.pop(request, None)
        if error == PROXY_ERROR:
            url = script_request.url if script_request else self.requested_url
            error = self._find_connect_error(url) or error
        if request == self._document:
            self.load_error = error
            return
        if params.get("blockedReason") == "inspector":
            return  # by Network.setBlockedURLs
        if params.get("canceled"):
            return  # by the page
        if script_request and script_request.is_for_data:
            self._add_failure(RequestFailure(script_request, 0, error))
        if answer:
            answer.status, answer.error = 0, error
            self._keep_answer(answer)

    def _add_failure(self, failure: RequestFailure) -> None:
        if len(self.failures) < _MAX_FAILURES:
            self.failures.append(failure)


def _describe_request(params: Mapping[str, Any]) -> ScriptRequest:
    request = params["request"]
    path = urlsplit(request["url"])._replace(query="", fragment="").geturl()
    body = hashlib.sha256(request.get("postData", "").encode()).hexdigest()
    target = path if len(path) <= _MAX_URL else hashlib.sha256(path.encode()).hexdigest()
    key = f"{request.get('method', 'GET')} {target} {body}"
    return ScriptRequest(request["url"][:_MAX_URL], key, params["type"] in _DATA_REQUESTS)


def parse_retry_after(value: str, now: datetime) -> float | None:
    """Parse a Retry-After: whole seconds or an HTTP date (RFC 9110, 10.2.3).

    Args:
        value: The header's value.
        now: The current time, with its time zone.

    Returns:
        Seconds from `now`, at least 0; None if the value is invalid.
    """
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value)
    date = parse_http_date(value)
    return None if date is None else max(0.0, (date - now).total_seconds())


def parse_http_date(value: str) -> datetime | None:
    """Parse an HTTP date (RFC 9110, 5.6.7); None if it is invalid."""
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):  # not a date, or one outside the range of datetime
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
