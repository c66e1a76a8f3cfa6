"""Errors of the API client; their texts say what to do."""

#: What to do after an error response, where the API's own message does not say it.
_ADVICE = {
    "unauthorized": "Set GARIMPO_API_KEY to one of its keys.",
    "job_not_found": "`garimpo jobs` lists the existing jobs.",
    "job_expired": "Start it again: results are kept for a day unless RESULT_TTL_S is set.",
    "idempotency_conflict": "Use another --key for a different job.",
}


class ApiError(Exception):
    """A request to the API failed."""

    #: For programs: the API's `error_code`, or one of the client's own.
    code = "api_error"


class ApiUnreachableError(ApiError):
    """The API cannot be reached, or reports that it is unavailable."""

    code = "api_unreachable"

    def __init__(
        self,
        url: str,
        reason: str,
        retry_after_s: float | None = None,
        *,
        may_have_arrived: bool = True,
        answered: bool = False,
    ) -> None:
        """Create the error.

        Args:
            url: Address of the API.
            reason: What failed, in a few words.
            retry_after_s: Seconds after which to retry, if the API sent them.
            may_have_arrived: False if the API cannot have received the request.
            answered: Whether a server responded.
        """
        if answered:
            text = f"The API at {url} is unavailable ({reason})."
        else:
            text = (
                f"Cannot reach the API at {url} ({reason}). Start it with `make dev`, or set its "
                "address with --url or GARIMPO_URL."
            )
        super().__init__(text)
        self.reason = reason
        self.retry_after_s = retry_after_s
        self.may_have_arrived = may_have_arrived


class ApiRefusedError(ApiError):
    """The API sent an error response; the text is its message, and advice."""

    def __init__(self, status: int, detail: str, code: str | None) -> None:
        advice = _ADVICE.get(code or "")
        super().__init__(f"{detail.rstrip('.')}. {advice}" if advice else detail)
        self.status = status
        self.code = code or ""


class UnknownJobError(ApiError):
    """The API has no such job definition."""

    code = "not_found"

    def __init__(self, url: str, site: str, job: str, known: list[tuple[str, str]]) -> None:
        names = ", ".join(" ".join(name) for name in known)
        available = f"Available jobs: {names}." if names else f"{url}/docs lists its jobs."
        super().__init__(f"The API at {url} has no job {site} {job}. {available}")


class NotTheApiError(ApiError):
    """A server responded, but it is not Garimpo's API."""

    code = "not_the_api"

    def __init__(self, url: str, status: int) -> None:
        super().__init__(
            f"The server at {url} (HTTP {status}) is not Garimpo's API: check --url or GARIMPO_URL."
        )
