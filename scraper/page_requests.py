"""Requests of a page's scripts: which are waited for, and which have cost the page its items."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from scraper.browser.network_access import NOT_ALLOWED
from scraper.browser.network_log import RequestFailure
from scraper.browser.tab import Tab
from scraper.retry import is_gone
from scraper.site_urls import SiteUrls

# The statuses with which a site's API refuses a session that has ended (419: Laravel).
_NO_SESSION: Final = frozenset({HTTPStatus.UNAUTHORIZED.value, HTTPStatus.FORBIDDEN.value, 419})


class PageRequests:
    """The requests of one page after another."""

    def __init__(self, tab: Tab, site: SiteUrls) -> None:
        self._tab = tab
        self._site = site
        # Requests for which no further page waits: they have not ended, or have failed in two
        # attempts, although the page had its items; and those whose failure was reported.
        self._endless: set[str] = set()
        self._tolerated: set[str] = set()
        self._reported: set[str] = set()

    def are_pending(self) -> bool:
        """Return whether the page waits for an answer."""
        pending = self._tab.read_network().pending.values()
        return any(request.key not in self._endless for request in pending)

    def give_up_pending(self) -> None:
        """Wait no more for the requests that have not ended, nor on later pages."""
        pending = self._tab.read_network().pending.values()
        self._endless.update(request.key for request in pending)

    def take_retry_reason(self) -> str:
        """Return why a page with items is tried again, once for each request; empty if it is not.

        Another attempt may show more items: a request for data of the site itself has failed in a
        way that may pass.
        """
        failures = [
            failure
            for failure in self._tab.read_network().failures
            if self._is_same_site(failure.url)
            and (failure.error or _may_pass(failure.status))
            and not failure.error.startswith(NOT_ALLOWED)
            and failure.request.key not in self._tolerated
        ]
        self._tolerated.update(failure.request.key for failure in failures)
        return describe_failure(failures[0]) if failures else ""

    def find_refusals(self) -> list[RequestFailure]:
        """Return the failed requests that may be why a page has no items."""
        return [
            failure
            for failure in self._tab.read_network().failures
            if self._may_concern_items(failure) and not is_gone(failure)
        ]

    def is_answer_pending(self) -> bool:
        """Return whether the page waits for an answer that may have items."""
        return bool(self._tab.network.pending_answers)

    def find_failed_answer(self) -> RequestFailure | None:
        """Return how a request that may have had items has failed; None if none has."""
        failures = (answer.failure for answer in self._tab.network.answers)
        return next(filter(None, failures), None)

    def find_unreported(self) -> Iterator[RequestFailure]:
        """Yield the failed requests that may have cost a page items, each once for all pages."""
        for failure in self._tab.read_network().failures:
            if self._may_concern_items(failure) and failure.request.key not in self._reported:
                self._reported.add(failure.request.key)
                yield failure

    def _may_concern_items(self, failure: RequestFailure) -> bool:
        """Return whether a failed request may have been for items of the page.

        A page may also count its visitors at other sites, which need not be reachable.
        """
        return self._is_same_site(failure.url) or _may_pass(failure.status)

    def _is_same_site(self, url: str) -> bool:
        return self._site.is_same_site(url) or self._site.may_have_page(url)


def is_session_refused(failure: RequestFailure) -> bool:
    """Return whether a site has refused a request as one without a session."""
    return failure.status in _NO_SESSION


def describe_failure(failure: RequestFailure) -> str:
    """Return a request's failure as a page's: `HTTP 500 /api/orders`."""
    # The query may hold secrets.
    return f"{failure.reason} {urlsplit(failure.url).path}"


def url_without_query(url: str) -> str:
    """Return a URL up to its path."""
    return urlsplit(url)._replace(query="", fragment="").geturl()


def _may_pass(status: int) -> bool:
    return status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR
