"""The state of a page at one moment, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

# Answers that another try may better: too early, too many, and the server's own failures.
_RETRYABLE_STATUS = frozenset({408, 425, 429})
_FIRST_FAILURE = 400
_FIRST_SERVER_FAILURE = 500


@dataclass(frozen=True)
class SnapshotQuery:
    """What a snapshot covers: selectors by name."""

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
    """The first visible element of a selector."""

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
        """Read one element of the result of `js/snapshot.js`."""
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
        """Read the result of `js/snapshot.js`."""
        return cls(
            time_origin=data["timeOrigin"],
            ready_state=data["readyState"],
            url=data["url"],
            status=data["status"],
            error=data["error"],
            counts=data["counts"],
            elements={
                name: ElementState.decode(found) if found else None
                for name, found in data["elements"].items()
            },
        )

    def with_load_error(self, error: str) -> "PageSnapshot":
        """Return this snapshot as that of a document that failed to load, if there is an error."""
        return replace(self, ready_state="complete", error=error) if error else self

    @property
    def is_parsed(self) -> bool:
        """Whether the whole document has come; what it refers to may still be on its way."""
        return self.ready_state != "loading"

    @property
    def is_loaded(self) -> bool:
        """Whether the document has come with all that it refers to."""
        return self.ready_state == "complete"

    @property
    def failure(self) -> str:
        """Why this is no page: `HTTP 503`, `ERR_CONNECTION_RESET`; empty if it is one."""
        if self.status >= _FIRST_FAILURE:
            return f"HTTP {self.status}"
        return self.error

    @property
    def is_retryable(self) -> bool:
        """Whether another try may end better than this failure."""
        if self.status >= _FIRST_FAILURE:
            return self.status in _RETRYABLE_STATUS or self.status >= _FIRST_SERVER_FAILURE
        return bool(self.error)
