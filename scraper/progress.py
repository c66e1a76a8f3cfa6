"""How far a run is, told to whoever watches it."""

from typing import Any, Protocol

from scraper.recipes.models import Label

# Where the pages begin: the browser and the login come first. 100 is the end's, not ours.
_PAGES_FROM = 10
_PAGES_TO = 99


class ScrapeObserver(Protocol):
    """Whoever watches a run."""

    def progress(self, percent: int, key: str, **args: object) -> None:
        """Hear how far the run is.

        Args:
            percent: 0 to 99; never less than before.
            key: `starting_browser` {}, `logging_in` {}, `opening_page` {page, pages},
                `extracting` {label: {pt, en}, done, total} (items), `retrying` {page, attempt,
                tries, seconds}, `retrying_login` {attempt, tries, seconds}, `logging_in_again`
                {page}.
            args: the key's values. A page is the ordinal among the pages asked for, from 1.
        """

    def browser_opened(self, session: str) -> None:
        """Hear of the run's browser at a remote end; not called for a local one.

        Args:
            session: its id there; empty once it has ended.
        """

    def page_read(
        self, number: int, items: list[dict[str, Any]], warnings: list[dict[str, Any]]
    ) -> None:
        """Take the new items of a page, once for each page that was read.

        Args:
            number: the page's own number, as it stands in its address.
            items: in page order; empty if all were seen before.
            warnings: what was odd about the page, as in `Summary.warnings`.
        """


class ProgressReporter:
    """Turns the steps of a run into percent."""

    def __init__(self, watcher: ScrapeObserver, label: Label, *, pages: int, items: int) -> None:
        """Start with the pages asked for, and the items that are there already."""
        self._watcher = watcher
        self._label = {"pt": label.pt, "en": label.en}
        self._pages = pages
        self._items = items
        self._percent = 0

    def starting_browser(self) -> None:
        """Say that Chrome is being started."""
        self._report(1, "starting_browser")

    def logging_in(self) -> None:
        """Say that the login begins."""
        self._report(5, "logging_in")

    def logging_in_again(self, page: int) -> None:
        """Say that the session has ended at a page."""
        self._report(0, "logging_in_again", page=page)

    def opening_page(self, page: int) -> None:
        """Say that a page is being opened; once there are items, their number says more."""
        if self._items:
            return
        self._report(self._percent_after(page - 1), "opening_page", page=page, pages=self._pages)

    def extracting(self, page: int, new: int, size: int | None) -> None:
        """Say how many items there are after a page, and how many there may be in the end.

        Args:
            page: its ordinal.
            new: how many items it has added.
            size: how many items a full page has, if that is known.
        """
        self._items += new
        total = self._items + (size or 0) * (self._pages - page)
        counts = {"done": self._items, "total": total}
        self._report(self._percent_after(page), "extracting", label=self._label, **counts)

    def retrying(self, page: int, attempt: int, tries: int, seconds: float) -> None:
        """Say that a page is tried again, after a pause."""
        told = {"page": page, "attempt": attempt, "tries": tries, "seconds": round(seconds, 1)}
        self._report(0, "retrying", **told)

    def retrying_login(self, attempt: int, tries: int, seconds: float) -> None:
        """Say that the login is tried again, after a pause."""
        told = {"attempt": attempt, "tries": tries, "seconds": round(seconds, 1)}
        self._report(0, "retrying_login", **told)

    def _percent_after(self, page: int) -> int:
        return _PAGES_FROM + (_PAGES_TO - _PAGES_FROM) * page // self._pages

    def _report(self, percent: int, key: str, **args: object) -> None:
        self._percent = max(self._percent, percent)
        self._watcher.progress(self._percent, key, **args)
