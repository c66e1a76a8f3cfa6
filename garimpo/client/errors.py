"""What can go wrong between the command line and the API; the texts say what to do."""

#: What to do after a refusal, where the API's own sentence does not say it.
_ADVICE = {
    "job_not_found": "`garimpo jobs` lists those that there are.",
    "job_expired": "Start it again: results are kept for a day unless the API is set otherwise.",
    "idempotency_conflict": "Take another --key for another scrape.",
}


class ApiError(Exception):
    """The API has not done what was asked."""

    #: For programs: the API's own code, or one of ours.
    code = "api_error"


class ApiUnreachableError(ApiError):
    """Nothing answers there, or it says that it cannot serve now."""

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
        """Describe it.

        Args:
            url: where the API should be.
            reason: what is wrong, in a few words.
            retry_after_s: when to ask again, if the API says.
            may_have_arrived: False where nobody can have read the request.
            answered: whether something is there, only it does not serve.
        """
        advice = (
            ""
            if answered
            else (" Start it with `make dev`, or say where it is with --url or GARIMPO_URL.")
        )
        super().__init__(f"The API at {url} does not serve ({reason}).{advice}")
        self.reason = reason
        self.retry_after_s = retry_after_s
        self.may_have_arrived = may_have_arrived


class ApiRefusedError(ApiError):
    """The API has answered with an error of its own; the text is its sentence, and advice."""

    def __init__(self, status: int, sentence: str, code: str | None) -> None:
        advice = _ADVICE.get(code or "")
        super().__init__(f"{sentence.rstrip('.')}. {advice}" if advice else sentence)
        self.status = status
        self.code = code or ""


class UnknownJobError(ApiError):
    """The API has no such job to start."""

    code = "not_found"

    def __init__(self, url: str, site: str, job: str, known: list[tuple[str, str]]) -> None:
        names = ", ".join(" ".join(name) for name in known)
        there = f"It has: {names}." if names else f"{url}/docs shows those that it has."
        super().__init__(f"The API at {url} has no job {site} {job}. {there}")


class NotTheApiError(ApiError):
    """Something answers there, but not as this API does."""

    code = "not_the_api"

    def __init__(self, url: str, status: int) -> None:
        super().__init__(
            f"What answers at {url} (HTTP {status}) is not Garimpo's API: check --url or "
            "GARIMPO_URL."
        )
