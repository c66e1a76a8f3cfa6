"""What a look into the tab sees, as plain values."""

from dataclasses import dataclass, field, replace
from typing import Any

# Answers that another try may better: too early, too many, and the server's own failures.
_RETRYABLE_STATUS = frozenset({408, 425, 429})
_FIRST_FAILURE = 400
_FIRST_SERVER_FAILURE = 500


@dataclass(frozen=True)
class SnapshotQuery:
    """What to look for, as selectors by name."""

    #: How many there are.
    counts: dict[str, str] = field(default_factory=dict)
    #: The first visible one.
    elements: dict[str, str] = field(default_factory=dict)
    #: What some of these should hold, by their names. Not in the repr: there are passwords.
    expected_values: dict[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class ElementState:
    """The first visible element of a selector."""

    #: A handle for the tab's own methods.
    element: Any
    enabled: bool
    #: Whether it holds a value, as form fields do.
    has_value: bool
    #: Whether its value is the text that the watch names; the value itself stays in the browser.
    has_expected_value: bool
    #: The browser's own words about a value that it would not send; else empty.
    validation_message: str
    #: The first text that any visible element of the selector shows; may be empty.
    text: str


@dataclass(frozen=True)
class PageSnapshot:
    """One look: `js/probe.js` says what each value is."""

    time_origin: float
    ready_state: str
    url: str
    status: int
    error: str
    counts: dict[str, int]
    elements: dict[str, ElementState | None]

    def with_load_error(self, error: str) -> "PageSnapshot":
        """Return the same look at a document that will not come whole, if there is an error."""
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
