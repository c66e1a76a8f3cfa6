"""What the pages of a list have in common, to recognize one that is no page of the list."""

import re
from collections.abc import Iterable
from urllib.parse import parse_qsl, urldefrag, urlsplit

from scraper.browser.page_snapshot import PageSnapshot
from scraper.page_items import ListPage


class UsualPage:
    """What the pages of a list have shown so far, to recognize one that is no page of the list."""

    def __init__(self, form: str, sign: str, link: str) -> None:
        """Start before the first page.

        Args:
            form: The name of the login form's element in snapshots.
            sign: The name of the element that only shows during a session.
            link: The name of the link to the login page.
        """
        self._form = form
        self._sign = sign
        self._link = link
        #: Whether they were no error pages; False before the first one.
        self.is_sound = False
        # Whether the URL of the first one still had its number, and the URLs of all.
        self._names_number = False
        self._urls: set[str] = set()
        self._shows_form = True
        self._shows_sign = False
        self._shows_link = True
        # Whether that is known from an earlier run only.
        self._is_expected = False

    def observe(self, snapshot: PageSnapshot, page: ListPage) -> None:
        """Take a page that was read."""
        self.is_sound = self.is_sound or not snapshot.failure
        if not self._urls:
            self._names_number = _names_number(_final_url(snapshot), page)
        self._urls.add(_final_url(snapshot))
        self._take(name for name, element in snapshot.elements.items() if element)
        self._is_expected = False

    def expect(self, shown: Iterable[str] | None) -> None:
        """Take what the pages of an earlier run have shown; None: nothing is known.

        Only until the first page: then this run's own pages are what is usual.
        """
        if self._urls:
            return
        self._is_expected = shown is not None
        self._take((self._form, self._link) if shown is None else shown)

    def _take(self, shown: Iterable[str]) -> None:
        names = frozenset(shown)
        self._shows_form = self._form in names
        self._shows_sign = self._sign in names
        self._shows_link = self._link in names

    @property
    def shown(self) -> tuple[str, ...] | None:
        """The names of what pages show during the session, to `expect` it in a later run.

        None before the first page.
        """
        if not self._urls:
            return None
        shown = {
            self._form: self._shows_form,
            self._sign: self._shows_sign,
            self._link: self._shows_link,
        }
        return tuple(name for name, is_shown in shown.items() if is_shown)

    def is_logged_out(self, snapshot: PageSnapshot) -> bool:
        """Return whether a page asks for a login, or lacks a sign, unlike the page before."""

        def shows(name: str) -> bool:
            return snapshot.elements.get(name) is not None

        has_new_form = shows(self._form) and not self._shows_form
        lacks_sign = self._shows_sign and not shows(self._sign)
        # Any item may have such a link: it is a reason to log in once, and no more.
        has_new_link = self._is_expected and shows(self._link) and not self._shows_link
        return has_new_form or lacks_sign or has_new_link

    def has_led_on(self, snapshot: PageSnapshot, page: ListPage) -> bool:
        """Return whether the site has led on to another page than the one that was opened.

        It may spell the URL in its own way. But then the page's number is still part of it, and
        every page has its own, unless already the first page was respelled without its number.
        Before the first one, as in an attempt that goes on in the middle, nothing is known.
        """
        if not self._names_number or page.place.clicks or page.value is not None:
            return False
        arrived = _final_url(snapshot)
        is_another = arrived in self._urls and arrived != page.url
        return is_another or not _names_number(arrived, page)


def is_plain_page(snapshot: PageSnapshot, page: ListPage) -> bool:
    """Return whether a page is no error page, and its URL still has its number."""
    return not snapshot.failure and _names_number(_final_url(snapshot), page)


def _final_url(snapshot: PageSnapshot) -> str:
    """Return the URL that the site led to: a script may change it, but only behind the `#`."""
    document, route = urldefrag(snapshot.document_url).url, urldefrag(snapshot.url).fragment
    moved_on = urldefrag(snapshot.url).url
    if route:
        return f"{document}#{route}"
    # A route may have become a path.
    return moved_on if "#" in snapshot.document_url else document


def _names_number(url: str, page: ListPage) -> bool:
    """Return whether a URL has the page's number at least as often as the URL that was opened."""
    return _count_number(url, page.number) >= _count_number(page.url, page.number)


def _count_number(url: str, number: int) -> int:
    """Return how often a URL contains a number on its own, except in a URL that it quotes."""
    parts = urlsplit(url)
    query = "&".join(
        f"{name}={value}" for name, value in parse_qsl(parts.query) if "/" not in value
    )
    text = f"{parts.path} {query} {parts.fragment}"
    return sum(int(digits) == number for digits in re.findall(r"[0-9]+", text))
