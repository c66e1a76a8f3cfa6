"""Progress of a run: its steps, and the observer that receives them."""

from enum import StrEnum
from typing import Protocol, Self, TypedDict

from scraper.page_items import NewItems, PageFailure
from scraper.recipes.models import Label

# The browser and the login come before the pages. The caller reports 100 % once the job has ended.
_PAGES_FROM = 10
_PAGES_TO = 99
# Of a list whose length is not known, progress is half-way after this many pages.
_OPEN_ENDED_PAGES = 5


class Activity(StrEnum):
    """Something that a step begins, worth counting; the value is the name of its counter."""

    BROWSER_START = "browsers"
    LOGIN = "logins"
    RETRY = "retries"


class ProgressStep(StrEnum):
    """A step of a run; the value is the key of its sentence in the message catalogue."""

    #: What the step begins, if it is something to count.
    activity: Activity | None

    def __new__(cls, key: str, activity: Activity | None = None) -> Self:
        """Create a member with its attributes."""
        step = str.__new__(cls, key)
        step._value_ = key
        step.activity = activity
        return step

    STARTING_BROWSER = "starting_browser", Activity.BROWSER_START
    LOGGING_IN = "logging_in", Activity.LOGIN
    #: Another job is logging in with the same account; its session will do.
    WAITING_FOR_LOGIN = "waiting_for_login"
    #: Other jobs use the account, and the site allows no more sessions.
    WAITING_FOR_TURN = "waiting_for_turn"
    #: Only a person can log in; a session is to be imported.
    WAITING_FOR_PERSON = "waiting_for_person"
    #: The session has ended at a page. Arguments: page.
    LOGGING_IN_AGAIN = "logging_in_again", Activity.LOGIN
    #: Arguments: page, pages.
    OPENING_PAGE = "opening_page"
    #: The same, of a list whose length is not known. Arguments: page.
    OPENING_NEXT_PAGE = "opening_next_page"
    #: A page has been read. Arguments: label, done, total.
    EXTRACTING = "extracting"
    #: The same, of a list whose length is not known. Arguments: label, done.
    EXTRACTING_MORE = "extracting_more"
    #: A page is tried again after a pause. Arguments: page, attempt, tries, seconds.
    RETRYING = "retrying", Activity.RETRY
    #: The login is tried again after a pause. Arguments: attempt, tries, seconds.
    RETRYING_LOGIN = "retrying_login", Activity.RETRY

    @property
    def counter(self) -> str | None:
        """The name of the counter that the step adds one to, if there is one."""
        return self.activity.value if self.activity else None

    @property
    def is_retry(self) -> bool:
        """Whether the step tries something again."""
        return self.activity is Activity.RETRY


class ProgressArgs(TypedDict, total=False):
    """The values in a step's sentence; `ProgressStep` documents which step has which."""

    #: The page's ordinal among the pages requested, from 1.
    page: int
    #: How many pages were requested.
    pages: int
    #: The items' noun by language, `pt` and `en`.
    label: dict[str, str]
    #: How many items have been read so far.
    done: int
    #: How many items there may be in the end.
    total: int
    #: The number of the attempt that follows, from 2.
    attempt: int
    #: How many attempts there are at most.
    tries: int
    #: The pause before the attempt.
    seconds: float


class ScrapeObserver(Protocol):
    """Receiver of a run's progress and items."""

    def progress(self, percent: int, step: ProgressStep, args: ProgressArgs) -> None:
        """Receive a step of the run.

        Args:
            percent: 0 to 99; never less than before.
            step: The step that begins, or has just ended (`EXTRACTING`).
            args: The values in the step's sentence.
        """

    def browser_opened(self, session: str) -> None:
        """Receive the id of the run's browser session at a remote end; never of a local browser."""

    def page_read(self, number: int, new: NewItems) -> None:
        """Receive the new items of a page, once for each page that was read.

        Args:
            number: The page's number in its URL.
            new: The items in page order, and how to recognize them in a later attempt.
        """

    def page_failed(self, number: int, failure: PageFailure) -> None:
        """Receive why a page was left out, which others do not depend on.

        Args:
            number: Its position among those requested, from 1.
            failure: What has failed.
        """


class ProgressReporter:
    """Reports the steps of a run to its observer, with a percentage."""

    def __init__(
        self, observer: ScrapeObserver, label: Label, *, pages: int | None, items: int
    ) -> None:
        """Start with what earlier attempts have read.

        Args:
            observer: Receives the steps.
            label: The items' noun.
            pages: How many pages were requested; None if the list is read to its end, wherever
                that is.
            items: How many items earlier attempts have read.
        """
        self._observer = observer
        self._label = {"pt": label.pt, "en": label.en}
        self._pages = pages
        self._items = items
        self._percent = 0

    def starting_browser(self) -> None:
        """Report that a browser is being started."""
        self._report(1, ProgressStep.STARTING_BROWSER, {})

    def logging_in(self) -> None:
        """Report that the login begins."""
        self._report(5, ProgressStep.LOGGING_IN, {})

    def waiting_for_login(self) -> None:
        """Report that another job's login is awaited."""
        self._report(3, ProgressStep.WAITING_FOR_LOGIN, {})

    def logging_in_again(self, page: int) -> None:
        """Report that the session has ended at a page, and the login begins again."""
        self._report(0, ProgressStep.LOGGING_IN_AGAIN, {"page": page})

    def opening_page(self, page: int) -> None:
        """Report that a page is being opened, unless there are items: their number says more."""
        if self._items:
            return
        args: ProgressArgs = {"page": page}
        step = ProgressStep.OPENING_NEXT_PAGE
        if self._pages is not None:
            args["pages"] = self._pages
            step = ProgressStep.OPENING_PAGE
        self._report(self._percent_after(page - 1), step, args)

    def extracting(self, page: int, new_items: int, page_size: int | None) -> None:
        """Report how many items have been read, and how many there may be in the end.

        Args:
            page: The ordinal of the page that was read.
            new_items: How many items it has added.
            page_size: How many items a full page has, if known.
        """
        self._items += new_items
        args: ProgressArgs = {"label": self._label, "done": self._items}
        step = ProgressStep.EXTRACTING_MORE
        if self._pages is not None:
            args["total"] = self._items + (page_size or 0) * (self._pages - page)
            step = ProgressStep.EXTRACTING
        self._report(self._percent_after(page), step, args)

    def retrying(self, page: int, attempt: int, tries: int, seconds: float) -> None:
        """Report that a page is tried again after a pause."""
        args: ProgressArgs = {
            "page": page,
            "attempt": attempt,
            "tries": tries,
            "seconds": round(seconds, 1),
        }
        self._report(0, ProgressStep.RETRYING, args)

    def retrying_login(self, attempt: int, tries: int, seconds: float) -> None:
        """Report that the login is tried again after a pause."""
        args: ProgressArgs = {"attempt": attempt, "tries": tries, "seconds": round(seconds, 1)}
        self._report(0, ProgressStep.RETRYING_LOGIN, args)

    def _percent_after(self, page: int) -> int:
        # Of an unknown number of pages, each one is a part of what is left.
        pages = page + _OPEN_ENDED_PAGES if self._pages is None else self._pages
        return _PAGES_FROM + (_PAGES_TO - _PAGES_FROM) * page // pages

    def _report(self, percent: int, step: ProgressStep, args: ProgressArgs) -> None:
        self._percent = max(self._percent, percent)
        self._observer.progress(self._percent, step, args)
