"""Reader of list pages: opens a page, waits for it, extracts its items, retries."""

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from http import HTTPStatus
from typing import Final

from scraper.browser.network_log import RequestFailure
from scraper.browser.page_snapshot import DEFAULT_SIZES, PageSnapshot, SizeLimits, SnapshotQuery
from scraper.browser.tab import Tab
from scraper.browser_state import BrowserState
from scraper.errors import MAX_QUOTE, PageChanged
from scraper.extraction import ExtractionParser
from scraper.field_values import FieldNotes, FieldValues
from scraper.json_items import JsonItemReader
from scraper.list_query import make_json_query, make_list_query
from scraper.list_scroll import ListScroll
from scraper.page_items import ListEnd, ListPage, PageItems, PagePlace
from scraper.page_readiness import DRAWN_SETTLE_S, PageReadiness, PageState, Readiness
from scraper.page_requests import (
    PageRequests,
    describe_failure,
    is_session_refused,
    url_without_query,
)
from scraper.recipes.models import JobDefinition, Limits, Login
from scraper.recipes.origin import describe_origin
from scraper.recipes.strict_types import finds_in_url, is_xpath
from scraper.retry import OnRetry, PageRetry, is_gone
from scraper.scrape_warnings import EndReason, ScrapeWarning, WarningCode
from scraper.site_urls import SiteUrls
from scraper.stability import StabilityTimer
from scraper.usual_page import UsualPage, is_plain_page

_MARKER: Final = "marker"
_END: Final = "end"
_NEXT: Final = "next.control"
_SIGNED_IN: Final = "login.done_when.exists"
_LOGIN_LINK: Final = "login.open"
# A field's selector that means the item itself, or elements beside it.
_RELATIVE: Final = re.compile(r":scope|(?:^|,)\s*(?:[>+~]|\.\s*(?:,|$))")
# How long a page has to be without a way to the next one before that ends the list.
_END_SETTLE_S: Final = 3.0
# How many characters of a text are quoted that is not of its field's type.
_MAX_SAMPLE: Final = 80
# How often it is tried to click on what is covered, or is not there yet.
_CLICK_POLL_S: Final = 0.1
_ABORTED: Final = "ERR_ABORTED"
_NO_CONTENT: Final = "HTTP 204"


class LoggedOut(Enum):
    """The outcome of a page whose site asks for a login."""

    LOGGED_OUT = auto()


#: The outcome of one attempt; a snapshot is that of a failure.
ReadOutcome = PageItems | ListEnd | LoggedOut | PageSnapshot


@dataclass(frozen=True)
class _Before:
    """What a tab shows before a page, until that arrives."""

    #: The time origin of the document; 0 if it is the page's.
    origin: float = 0.0
    #: The digest of its items, if a click may change them; None if another document follows.
    digest: str | None = None
    clicked_at: float = 0.0
    #: How many of its requests had failed.
    failures: int = 0

    def is_shown(self, snapshot: PageSnapshot) -> bool:
        """Return whether a snapshot still shows that."""
        if snapshot.time_origin != self.origin:
            return False
        return self.digest is None or snapshot.list is None or snapshot.list.digest == self.digest


class PageReader:
    """Reads the pages of a job in a tab."""

    def __init__(  # noqa: PLR0913 - the tab, and what the recipe and the worker say of its pages
        self,
        tab: Tab,
        site: SiteUrls,
        job: JobDefinition,
        limits: Limits,
        login: Login | None,
        *,
        values: FieldValues,
        sizes: SizeLimits = DEFAULT_SIZES,
    ) -> None:
        self._tab = tab
        self._site = site
        self._job = job
        self._limits = limits
        self._login = login
        # What shows that a page asks for a login; its name is its key in the recipe.
        self._form = login.forms[0].main_part if login else ""
        source = job.json_items
        self._list = None if source else make_list_query(job, sizes)
        self._parser = ExtractionParser(job, sizes, values)
        # The items' place in messages.
        self._selector = str(job.items)
        self._json = JsonItemReader(job, source, sizes, tab.search) if source else None
        tab.watch_responses(_make_url_filter(source.response) if source else None)
        marker = {} if job.marker is None else {_MARKER: job.marker}
        self._query = SnapshotQuery(
            marker,
            self._watched_elements(),
            list=self._list,
            json=make_json_query(source, sizes) if source else None,
        )
        self._requests = PageRequests(tab, site)
        self._usual = UsualPage(self._form, _SIGNED_IN, _LOGIN_LINK)
        self._scroll = ListScroll(tab, job, limits)
        # The page whose items scrolling has not brought yet, and its attempts.
        self._scrolled: tuple[int, PageRetry] | None = None
        self._end_timer = StabilityTimer()
        # The page that the tab shows, and its items, to which a click may add others.
        self._shown: PagePlace | None = None
        self._before = _Before()
        self._texts: list[bytes] = []

    def _watched_elements(self) -> dict[str, str]:
        control = self._control
        form = self._login.forms[0] if self._login else None
        done_when = self._login.done_when if self._login else None
        selectors = {
            _END: self._job.end,
            _NEXT: control,
            self._form: form.parts[self._form] if form else None,
            _SIGNED_IN: done_when.exists if done_when else None,
            _LOGIN_LINK: _links_to(self._login.open) if self._login else None,
        }
        return {name: selector for name, selector in selectors.items() if selector is not None}

    @property
    def _control(self) -> str | None:
        """The selector of what leads to the next page; None without one."""
        return self._job.next.control if self._job.next and not self._job.is_scrolled else None

    def expect(self, state: BrowserState | None) -> None:
        """Expect what pages of the job have shown during a session; None: nothing is known."""
        shown = None if state is None else state.shown.get(self._job.collection)
        self._usual.expect(shown)

    def describe(self, state: BrowserState) -> BrowserState:
        """Return the state of a session with what its pages of the job have shown."""
        shown = self._usual.shown
        if shown is None:
            return state
        return state.model_copy(update={"shown": {self._job.collection: shown}})

    def read(self, page: ListPage, on_retry: OnRetry) -> PageItems | ListEnd | LoggedOut:
        """Open a page and read its items, within the recipe's time limit for a page.

        Args:
            page: The page to read.
            on_retry: Called before the pause of each retry.

        Raises:
            SiteUnavailable: The page failed in every attempt.
            PageTimeout: It was not readable in time.
            PageChanged: It has no item although there must be one, or one that is not as described,
                or is at a host that the recipe does not name.
            PageTooLarge: It has more items, or longer ones, than are read.
            BrowserCrashed: The browser is lost.
            Stopped: The stop event was set.
            SelectorError: The browser rejects a selector or a regular expression.
        """
        steps = self._plan(page)
        # Pages that only lead to this one take their time too.
        limit_s = self._limits.page_timeout_s * len(steps)
        deadline = time.monotonic() + limit_s
        retry = self._begin(page, deadline)
        outcome = self._walk(steps, deadline, retry)
        while True:
            if outcome is None:
                raise retry.timeout_error(limit_s)
            if not isinstance(outcome, PageSnapshot):
                return outcome
            if is_gone(outcome) and page.value is None:
                return self._check_missing_page(page)
            pause_s = retry.record_failure(outcome, on_retry)
            if self._recovers(outcome, pause_s) and not page.place.clicks:
                outcome = self._await_outcome(page, _Before(), deadline, retry)
            else:
                self._shown = None  # what a click that has failed has left
                outcome = self._walk(self._plan(page), deadline, retry)

    def _begin(self, page: ListPage, deadline: float) -> PageRetry:
        """Return what counts the attempts at a page: those of all its steps of scrolling."""
        ordinal, retry = self._scrolled or (0, None)
        if retry is None or ordinal != page.ordinal:
            retry = PageRetry(self._tab, page.url, self._limits, deadline)
        retry.extend(deadline)
        self._scrolled = (page.ordinal, retry) if page.is_scrolled else None
        return retry

    def _plan(self, page: ListPage) -> list[ListPage]:
        """Return the pages that lead to one, and that at the end."""
        shown, self._shown = self._shown, None
        url, clicks = page.place.url, page.place.clicks
        if self._job.is_scrolled:
            return [replace(page, place=PagePlace(url, int(shown == page.place)))]
        if clicks and shown == PagePlace(url, clicks - 1):
            return [page]
        first = page.ordinal - clicks
        return [
            replace(page, place=PagePlace(url, done), ordinal=first + done)
            for done in range(clicks + 1)
        ]

    def _walk(
        self, steps: Sequence[ListPage], deadline: float, retry: PageRetry
    ) -> ReadOutcome | None:
        """Return the outcome of one attempt at the last of several pages; None at the deadline."""
        outcome: ReadOutcome | None = None
        for step in steps:
            if step.is_scrolled and step.place.clicks:
                if self._scroll_on(step):
                    return ListEnd(EndReason.SCROLLED)
                before = self._mark_change()
            elif step.place.clicks:
                before = self._click_next(step)
            else:
                self._texts = []
                before = _Before(self._tab.open(step.url))
            outcome = self._await_outcome(step, before, deadline, retry)
            if not isinstance(outcome, PageItems):
                break
        return outcome

    def _click_next(self, page: ListPage) -> _Before:
        """Click on the control that leads to a page from the one before, which the tab shows.

        Raises:
            PageChanged: It cannot be clicked.
        """
        control = self._control or ""
        before = self._mark_change()
        clicked_at = before.clicked_at
        end = clicked_at + self._limits.empty_after_s
        while (cover := self._tab.click(control, self._check_url)) != "":
            if clicked_at >= end:
                reason = PageChanged.Reason.COVERED if cover else PageChanged.Reason.NOT_CLICKABLE
                raise PageChanged(page.url, control, reason, cover or "")
            self._tab.pause(_CLICK_POLL_S)
            clicked_at = time.monotonic()
        return replace(before, clicked_at=clicked_at)

    def _mark_change(self) -> _Before:
        """Return what the tab shows now, before a click or a step of scrolling changes it."""
        failures = len(self._requests.find_refusals())
        return replace(self._before, clicked_at=time.monotonic(), failures=failures)

    def _scroll_on(self, page: ListPage) -> bool:
        """Scroll on if the list is at rest; return whether it is at its end."""
        return self._scroll.go_on(page.ordinal, is_pending=self._requests.are_pending())

    def _await_outcome(
        self, page: ListPage, before: _Before, deadline: float, retry: PageRetry
    ) -> ReadOutcome | None:
        """Return the outcome of one attempt; None at the deadline."""
        readiness = PageReadiness(self._limits, page.size, self._requests.are_pending)

        def evaluate(snapshot: PageSnapshot) -> ReadOutcome | None:
            snapshot = self._add_items(snapshot)
            if snapshot.is_blank or before.is_shown(snapshot):
                return self._check_unchanged(page, snapshot, before)
            snapshot = self._correct_failure(snapshot)
            retry.observe(snapshot)
            if not self._site.may_have_page(snapshot.target_url):
                self._check_other_site(snapshot, page)
                return None
            return self._evaluate(snapshot, page, readiness)

        query = self._query
        if self._list is not None:
            query = replace(query, list=replace(self._list, full_count=page.size))
        return self._tab.wait(query, deadline, evaluate)

    def _add_items(self, snapshot: PageSnapshot) -> PageSnapshot:
        """Return a snapshot with the items that come from JSON, if the job has such."""
        return replace(snapshot, list=self._json.read(snapshot)) if self._json else snapshot

    def _check_unchanged(
        self, page: ListPage, snapshot: PageSnapshot, before: _Before
    ) -> ReadOutcome | None:
        """Return an outcome if nothing will replace the page before; None while something may."""
        if before.digest is None:
            return self._check_arrival(page, snapshot)
        if snapshot.is_blank:
            return None
        failed_answer = self._requests.find_failed_answer()
        new_failures = self._requests.find_refusals()[before.failures :]
        if failures := [failed_answer] if failed_answer else new_failures:
            return self._fail(snapshot, failures)
        end = self._find_end(snapshot)
        if page.is_scrolled:
            is_over = end is not None or self._scroll_on(page)
            return ListEnd(end or EndReason.SCROLLED) if is_over else None
        waited_s = time.monotonic() - before.clicked_at
        is_over = waited_s >= self._limits.empty_after_s and not self._requests.are_pending()
        return ListEnd(end or EndReason.NOTHING_NEW) if is_over else None

    def _check_url(self, url: str) -> None:
        """Return if a URL is one of the site's.

        Raises:
            PageChanged: It is not: nothing is clicked.
        """
        if not self._site.may_have_page(url):
            reason = PageChanged.Reason.LEFT_SITE
            raise PageChanged(url, self._selector, reason, describe_origin(url))

    def _check_other_site(self, snapshot: PageSnapshot, page: ListPage) -> None:
        """Return while a page of another site may still lead back to the site.

        Raises:
            PageChanged: It does not.
        """
        wait_s = self._limits.short_page_settle_s
        if snapshot.has_refresh or self._tab.read_network().has_refresh:
            wait_s = self._limits.empty_after_s
        stable_s = self._end_timer.measure((snapshot.time_origin, snapshot.url))
        if snapshot.failure or (snapshot.is_parsed and stable_s >= wait_s):
            reason = PageChanged.Reason.LEFT_SITE
            origin = describe_origin(snapshot.target_url)
            raise PageChanged(page.url, self._selector, reason, origin)

    def _recovers(self, failure: PageSnapshot, pause_s: float) -> bool:
        """Wait before the next attempt; return whether the page has gone on by itself meanwhile.

        A check of the browser, for example, loads the page again once it has passed.
        """

        def evaluate(snapshot: PageSnapshot) -> bool | None:
            if snapshot.is_blank or snapshot.error:
                return None
            snapshot = self._add_items(snapshot)
            has_new_rows = has_rows(snapshot) and not has_rows(failure)
            return True if has_new_rows or snapshot.time_origin != failure.time_origin else None

        end = time.monotonic() + pause_s
        has_arrived = failure.error not in {_ABORTED, _NO_CONTENT}
        if not has_arrived or not self._tab.wait(self._query, end, evaluate):
            self._tab.pause(max(0.0, end - time.monotonic()))
            return False
        return True

    def _correct_failure(self, snapshot: PageSnapshot) -> PageSnapshot:
        """Return a snapshot of an error page with what only the network log knows of it."""
        if snapshot.error == "ERR_FAILED":
            # Chrome shows an error page of its own for some statuses, such as 401.
            status = self._tab.read_network().status
            return replace(snapshot, error="", status=status) if status else snapshot
        if snapshot.failure and snapshot.is_static and snapshot.is_loaded:
            network = self._tab.read_network()
            is_known = network.status == snapshot.status  # the log may be late
            return replace(snapshot, is_static=is_known and not network.has_refresh)
        return snapshot

    def _check_arrival(self, page: ListPage, snapshot: PageSnapshot) -> PageSnapshot | None:
        """Return a failure if the page opened will never replace the one in the snapshot.

        Raises:
            PageChanged: The page is a download.
        """
        network = self._tab.network
        if network.download:
            raise PageChanged(page.url, "", PageChanged.Reason.DOWNLOAD, network.download)
        if network.load_error != _ABORTED:
            return None
        error = _NO_CONTENT if network.status == HTTPStatus.NO_CONTENT else _ABORTED
        return snapshot.with_load_error(error)

    def _evaluate(
        self, snapshot: PageSnapshot, page: ListPage, readiness: PageReadiness
    ) -> ReadOutcome | None:
        """Return the outcome of an attempt; None while the page is still loading."""
        if self._is_login_page(snapshot):
            return LoggedOut.LOGGED_OUT
        verdict = readiness.check(snapshot)
        if verdict is None:
            return None if has_rows(snapshot) else self._find_sign(snapshot, readiness)
        if self._requests.is_answer_pending() and not snapshot.failure:
            return None  # it may have items, and no page is read without some of them
        match verdict.state:
            case PageState.FAILED:
                return snapshot
            case PageState.EMPTY:
                return self._check_empty_page(snapshot, page)
            case PageState.READY:
                return self._check_rows(snapshot, page) or self._read_items(snapshot, page, verdict)

    def _check_rows(self, snapshot: PageSnapshot, page: ListPage) -> ReadOutcome | None:
        """Return what a page with items is if it is no page of the list; None if it is one."""
        if self._usual.is_logged_out(snapshot):
            return LoggedOut.LOGGED_OUT
        if page.must_have_items:
            return None
        if snapshot.failure and self._usual.is_sound:
            # Such pages suggest other items; the pages before were no error pages.
            if is_gone(snapshot):
                return ListEnd(EndReason.NOT_FOUND)
            if snapshot.is_retryable:
                return snapshot
        return ListEnd(EndReason.REDIRECTED) if self._usual.has_led_on(snapshot, page) else None

    def _is_login_page(self, snapshot: PageSnapshot) -> bool:
        if self._login and not has_rows(snapshot) and snapshot.status == HTTPStatus.UNAUTHORIZED:
            return True
        return not snapshot.failure and self._site.is_login_page(snapshot.url)

    def _find_sign(self, snapshot: PageSnapshot, readiness: PageReadiness) -> ReadOutcome | None:
        """Return what a page without items shows of its state, once it has done so for a moment."""
        wait_s = min(DRAWN_SETTLE_S, self._limits.short_page_settle_s)
        if not snapshot.is_loaded or readiness.empty_s < wait_s or self._requests.are_pending():
            return None
        if snapshot.elements.get(self._form):
            return LoggedOut.LOGGED_OUT
        has_fault = snapshot.list is not None and bool(snapshot.list.fault)
        if (
            snapshot.elements.get(_END)
            and not has_fault
            and not self._requests.find_failed_answer()
        ):
            return ListEnd(EndReason.END_SHOWN)
        return self._check_requests(snapshot)

    def _check_requests(self, snapshot: PageSnapshot) -> ReadOutcome | None:
        """Return what has kept a page without items from getting them; None if nothing has."""
        failed_answer = self._requests.find_failed_answer()
        failures = self._requests.find_refusals()
        if failed_answer and not is_gone(failed_answer):
            failures = [failed_answer, *failures]
        return self._fail(snapshot, failures) if failures else None

    def _fail(self, snapshot: PageSnapshot, failures: Sequence[RequestFailure]) -> ReadOutcome:
        """Return the failure of a page whose requests have failed."""
        if self._login and any(map(is_session_refused, failures)):
            return LoggedOut.LOGGED_OUT
        return snapshot.with_load_error(describe_failure(failures[0]))

    def _read_items(
        self, snapshot: PageSnapshot, page: ListPage, verdict: Readiness
    ) -> ReadOutcome | None:
        """Return the items of the page in the snapshot; None if it has changed since.

        Raises:
            PageChanged: No item has any value.
        """
        end = self._find_end(snapshot)
        end_s = self._end_timer.measure((snapshot.time_origin, end))
        is_sudden = end_s < min(_END_SETTLE_S, self._limits.empty_after_s)
        if end is EndReason.NO_NEXT and is_sudden and not page.is_last:
            return None  # a script may draw the control later than the items
        if failed_answer := self._requests.find_failed_answer():
            return self._fail(snapshot, [failed_answer])
        if reason := self._requests.take_retry_reason():
            return snapshot.with_load_error(reason)
        # The snapshot of a full page has its items already, as has one with JSON.
        text = snapshot.list.text if snapshot.list else ""
        if not text:
            text = (self._list and self._tab.extract(self._list)) or ""
        if not text:
            return None
        given = {} if self._job.singular is None else {self._job.singular: page.value}
        extracted = self._parser.parse(text, page.url, given)
        items = extracted.items
        is_same = verdict.digest in {None, extracted.digest}
        if (
            extracted.origin != snapshot.time_origin
            or len(items) < verdict.min_items
            or not is_same
        ):
            return None
        if snapshot.list and snapshot.list.blank == snapshot.list.count:
            raise PageChanged(page.url, self._selector, PageChanged.Reason.ITEMS_EMPTY)
        warnings = list(self._make_warnings(snapshot, page, verdict))
        warnings += _warn_of_values(extracted.notes, page)
        self._usual.observe(snapshot, page)
        is_plain = is_plain_page(snapshot, page)
        # A click may have added items to those before. What scrolling adds, the filter finds.
        is_longer = extracted.texts[: len(self._texts)] == self._texts and not page.is_scrolled
        known = len(self._texts) if is_longer else 0
        self._texts = extracted.texts
        self._shown = PagePlace(page.place.url) if page.is_scrolled else page.place
        self._before = _Before(extracted.origin, extracted.digest)
        return PageItems(
            items[known:],
            extracted.keys[known:],
            extracted.texts[known:],
            extracted.base_url,
            warnings,
            end,
            self._find_next(snapshot, page) if end is None else None,
            is_plain,
        )

    def _find_next(self, snapshot: PageSnapshot, page: ListPage) -> PagePlace | None:
        """Return where the control of a list leads whose pages lead to each other."""
        if page.is_scrolled:
            return PagePlace(page.place.url)
        control = snapshot.elements.get(_NEXT)
        if control is None or not self._job.is_followed:
            return None
        if control.url:
            return PagePlace(control.url)
        return PagePlace(page.place.url, page.place.clicks + 1)

    def _make_warnings(
        self, snapshot: PageSnapshot, page: ListPage, verdict: Readiness
    ) -> Iterator[ScrapeWarning]:
        def warn(code: WarningCode, **details: str | int) -> ScrapeWarning:
            return ScrapeWarning(code, page.number, details)

        if verdict.unsettled is not None:
            self._requests.give_up_pending()
            yield warn(WarningCode.PAGE_NOT_SETTLED, reason=verdict.unsettled.value)
        for failure in self._requests.find_unreported():
            url = url_without_query(failure.url)[:MAX_QUOTE]
            yield warn(WarningCode.REQUEST_FAILED, url=url, reason=failure.reason)
        if snapshot.list and snapshot.list.is_uniform:
            yield warn(WarningCode.ITEMS_EQUAL, count=snapshot.list.count)
        if snapshot.failure and page.ordinal > 1 and self._usual.is_sound:
            yield warn(WarningCode.ERROR_STATUS, status=snapshot.status)

    def _find_end(self, snapshot: PageSnapshot) -> EndReason | None:
        """Return what shows that no page follows the one in the snapshot."""
        if snapshot.elements.get(_END):
            return EndReason.END_SHOWN
        if _NEXT in snapshot.elements:
            control = snapshot.elements[_NEXT]
            if control is None or not control.enabled:
                return EndReason.NO_NEXT
        return None

    def _check_empty_page(self, snapshot: PageSnapshot, page: ListPage) -> ReadOutcome | None:
        """Return what a page without items means; None if it could not be checked just now.

        Raises:
            PageChanged: There must be an item, or the page does not belong to the list.
        """
        if outcome := self._check_requests(snapshot) or self._check_json(snapshot, page):
            return outcome
        if self._lacks_signs_of_login(snapshot):
            return LoggedOut.LOGGED_OUT
        if page.must_have_items:
            raise PageChanged(page.url, self._selector, PageChanged.Reason.NO_ITEM)
        if not self._is_list_page(page, self._identifying_fields()):
            return None
        return ListEnd(
            EndReason.REDIRECTED if self._usual.has_led_on(snapshot, page) else EndReason.EMPTY
        )

    def _check_json(self, snapshot: PageSnapshot, page: ListPage) -> ReadOutcome | None:
        """Return the failure of a page whose JSON was lost; None if it has none.

        Raises:
            PageChanged: It has JSON that is not what the recipe describes.
        """
        if snapshot.json and snapshot.json.fault.startswith("ERR_"):
            return snapshot.with_load_error(snapshot.json.fault)
        if snapshot.list and snapshot.list.fault:
            reason = PageChanged.Reason.UNREADABLE
            raise PageChanged(page.url, self._selector, reason, snapshot.list.fault)
        return None

    def _check_missing_page(self, page: ListPage) -> ListEnd:
        """Return the end of the list if a page that does not exist may be one.

        Raises:
            PageChanged: The recipe's URL is wrong, or the page does not belong to the list.
        """
        has_marker = self._job.marker is not None
        if page.must_have_items or (has_marker and not self._is_list_page(page, {})):
            selector = self._job.marker or self._selector
            raise PageChanged(page.url, selector, PageChanged.Reason.NOT_THE_LIST)
        return ListEnd(EndReason.NOT_FOUND)

    def _lacks_signs_of_login(self, snapshot: PageSnapshot) -> bool:
        """Return whether the signs of a login that a page can show are missing on it."""
        done_when = self._login.done_when if self._login else None
        if done_when is None:
            return False
        if done_when.exists and not snapshot.elements.get(_SIGNED_IN):
            return True
        return done_when.cookie is not None and not self._tab.has_cookie(done_when.cookie)

    def _is_list_page(self, page: ListPage, fields: dict[str, str]) -> bool:
        """Return whether a page without items belongs to the list; False also if it cannot say.

        Args:
            page: The page.
            fields: Selectors of which none matches without items.

        Raises:
            PageChanged: The page does not belong to the list.
        """
        marker = {} if self._job.marker is None else {_MARKER: self._job.marker}
        snapshot = self._tab.snapshot(SnapshotQuery(counts={**marker, **fields}))
        if snapshot is None:
            return False
        if self._job.marker is not None and snapshot.counts[_MARKER] == 0:
            reason = PageChanged.Reason.NOT_THE_LIST
            raise PageChanged(page.url, self._job.marker, reason)
        if any(snapshot.counts[name] for name in fields):
            raise PageChanged(page.url, self._selector, PageChanged.Reason.NO_ITEM)
        return True

    def _identifying_fields(self) -> dict[str, str]:
        """Return selectors whose matches prove that the page has items.

        Every item has its required fields; selectors of other fields may match elements outside
        the items.
        """
        names = {*self._job.required, *filter(None, [self._job.unique_by])} or self._job.fields
        fields = {f"fields.{name}.css": self._job.fields[name].css for name in names}
        return {
            name: css
            for name, css in fields.items()
            if css is not None and not is_xpath(css) and not _RELATIVE.search(css)
        }


def _warn_of_values(notes: FieldNotes, page: ListPage) -> Iterator[ScrapeWarning]:
    for name, count in notes.fallbacks.items():
        details: dict[str, str | int] = {"field": name, "count": count}
        yield ScrapeWarning(WarningCode.FALLBACK_TAKEN, page.number, details)
    for name, (count, text) in notes.unread.items():
        details = {"field": name, "count": count, "text": text[:_MAX_SAMPLE]}
        yield ScrapeWarning(WarningCode.VALUE_UNREAD, page.number, details)


def has_rows(snapshot: PageSnapshot) -> bool:
    """Return whether a page has items."""
    return snapshot.list is not None and snapshot.list.count > 0


def _make_url_filter(regex: str | None) -> Callable[[str], bool] | None:
    """Return a function that says whether a URL matches; None without a regex."""
    return None if regex is None else lambda url: finds_in_url(regex, url)


def _links_to(path: str) -> str:
    """Return a selector of the links to a path of the site."""
    quoted = json.dumps(path.partition("#")[0].rstrip("/") or path)
    return f'a[href$={quoted}], a[href*={quoted[:-1]}?"]'
