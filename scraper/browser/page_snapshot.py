"""Snapshot of a page at one moment, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

# Too early, too many requests, and request timeout; every 5xx may pass too.
_RETRYABLE_STATUS = frozenset({408, 425, 429})
_FIRST_ERROR = 400
_FIRST_SERVER_ERROR = 500


@dataclass(frozen=True)
class SnapshotQuery:
    """Selectors, by name, that a snapshot covers."""

    #: Selectors whose matches are counted.
    counts: dict[str, str] = field(default_factory=dict)
    #: Selectors whose first visible match is described.
    elements: dict[str, str] = field(default_factory=dict)
    #: Expected values of some of these elements. Not in the repr: passwords are among them.
    expected_values: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def script_argument(self) -> dict[str, dict[str, str]]:
        """The argument of `js/snapshot.js`."""
        return {
            "counts": self.counts,
            "elements": self.elements,
            "expectedValues": self.expected_values,
        }


@dataclass(frozen=True)
class ElementState:
    """State of the first visible element that matches a selector."""

    #: The WebElement, for the tab's methods.
    element: Any
    enabled: bool
    #: Whether a form field has a value.
    has_value: bool
    #: Whether the value is the expected one; the value itself never leaves the browser.
    has_expected_value: bool
    #: Why the browser would not submit the value; else empty.
    validation_message: str
    #: The first text that any visible match shows; may be empty.
    text: str

    @classmethod
    def decode(cls, data: Mapping[str, Any]) -> "ElementState":
        """Decode one element of the result of `js/snapshot.js`."""
        return cls(
            element=data["element"],
            enabled=data["enabled"],
            has_value=data["hasValue"],
            has_expected_value=data["hasExpectedValue"],
            validation_message=data["validationMessage"],
            text=data["text"],
        )


@dataclass(frozen=True)
class PageSnapshot:
    """The page at one moment; `js/snapshot.js` documents each value."""

    time_origin: float
    ready_state: str
    url: str
    status: int
    error: str
    counts: dict[str, int]
    elements: dict[str, ElementState | None]

    @classmethod
    def decode(cls, data: Mapping[str, Any]) -> "PageSnapshot":
        """Decode the result of `js/snapshot.js`."""
        return cls(
            time_origin=data["timeOrigin"],
            ready_state=data["readyState"],
            url=data["url"],
            status=data["status"],
            error=data["error"],
            counts=data["counts"],
            elements={
                name: ElementState.decode(element) if element else None
                for name, element in data["elements"].items()
            },
        )

    def with_load_error(self, error: str) -> "PageSnapshot":
        """Return this snapshot as that of a document that failed to load, if there is an error."""
        return replace(self, ready_state="complete", error=error) if error else self

    @property
    def is_parsed(self) -> bool:
        """Whether the whole document has arrived; its subresources may still be loading."""
        return self.ready_state != "loading"

    @property
    def is_loaded(self) -> bool:
        """Whether the document has arrived with all its subresources."""
        return self.ready_state == "complete"

    @property
    def failure(self) -> str:
        """The error of an error page, such as `HTTP 503` or `ERR_CONNECTION_RESET`; else empty."""
        if self.status >= _FIRST_ERROR:
            return f"HTTP {self.status}"
        return self.error

    @property
    def is_retryable(self) -> bool:
        """Whether another attempt may succeed after this failure."""
        if self.status >= _FIRST_ERROR:
            return self.status in _RETRYABLE_STATUS or self.status >= _FIRST_SERVER_ERROR
        return bool(self.error)
