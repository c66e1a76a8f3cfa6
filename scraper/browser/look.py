"""What a look into the tab sees, as plain values."""

from dataclasses import dataclass, field, replace
from typing import Any

# Answers that another try may better: too early, too many, and the server's own failures.
_PASSING_STATUS = frozenset({408, 425, 429})
_FIRST_FAILURE = 400
_FIRST_SERVER_FAILURE = 500


@dataclass(frozen=True)
class Watch:
    """What to look for, as selectors by name."""

    #: How many there are.
    counts: dict[str, str] = field(default_factory=dict)
    #: The first visible one.
    firsts: dict[str, str] = field(default_factory=dict)
    #: What some of these should hold, by their names. Not in the repr: there are passwords.
    texts: dict[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Shown:
    """The first visible element of a selector."""

    #: A handle for the tab's own methods.
    element: Any
    enabled: bool
    #: Whether it holds a value, as form fields do.
    filled: bool
    #: Whether its value is the text that the watch names; the value itself stays in the browser.
    holds: bool
    #: The browser's own words about a value that it would not send; else empty.
    objection: str
    #: The first text that any visible element of the selector shows; may be empty.
    text: str


@dataclass(frozen=True)
class Look:
    """One look: `js/probe.js` says what each value is."""

    origin: float
    state: str
    url: str
    status: int
    error: str
    counts: dict[str, int]
    firsts: dict[str, Shown | None]

    def broken_off(self, error: str) -> "Look":
        """Return the same look at a document that will not come whole, if there is an error."""
        return replace(self, state="complete", error=error) if error else self

    @property
    def is_parsed(self) -> bool:
        """Whether the whole document has come; what it refers to may still be on its way."""
        return self.state != "loading"

    @property
    def is_loaded(self) -> bool:
        """Whether the document has come with all that it refers to."""
        return self.state == "complete"

    @property
    def failure(self) -> str:
        """Why this is no page: `HTTP 503`, `ERR_CONNECTION_RESET`; empty if it is one."""
        if self.status >= _FIRST_FAILURE:
            return f"HTTP {self.status}"
        return self.error

    @property
    def may_pass(self) -> bool:
        """Whether another try may end better than this failure."""
        if self.status >= _FIRST_FAILURE:
            return self.status in _PASSING_STATUS or self.status >= _FIRST_SERVER_FAILURE
        return bool(self.error)
