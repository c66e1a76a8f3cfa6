"""What can go wrong between the command line and the API; the texts say what to do."""


class ApiError(Exception):
    """The API has not done what was asked."""


class ApiUnreachableError(ApiError):
    """Nothing answers there, or it says that it cannot serve now."""

    def __init__(self, url: str, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(
            f"The API at {url} does not serve ({reason}). Start it with `make dev`, or say where "
            "it is with --url or GARIMPO_URL."
        )
        self.reason = reason
        self.retry_after_s = retry_after_s


class ApiRefusedError(ApiError):
    """The API has answered with an error of its own; the text is its sentence."""

    def __init__(self, status: int, sentence: str, code: str | None) -> None:
        super().__init__(sentence)
        self.status = status
        self.code = code


class UnknownJobError(ApiError):
    """The API has no such job to start."""

    def __init__(self, url: str, site: str, job: str) -> None:
        super().__init__(
            f"The API at {url} has no job {site} {job}. {url}/docs shows those that it has."
        )


class NotTheApiError(ApiError):
    """Something answers there, but not as this API does."""

    def __init__(self, url: str, status: int) -> None:
        super().__init__(
            f"What answers at {url} (HTTP {status}) is not Garimpo's API: check --url or "
            "GARIMPO_URL."
        )
