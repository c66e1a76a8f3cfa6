"""When a list page can be read: decided from one look after another."""

from enum import Enum, auto

from scraper.browser.look import Look
from scraper.recipes.models import Limits
from scraper.stillness import Stillness

#: The name of the items' count in a look.
ITEMS = "items"


class Verdict(Enum):
    """What has become of a page."""

    #: All its items are there.
    READY = auto()
    #: It has come, without an item.
    EMPTY = auto()
    #: It is no page but a failure.
    FAILED = auto()


class Arrival:
    """Watches a page come."""

    def __init__(self, limits: Limits, page_size: int | None) -> None:
        self._limits = limits
        self._page_size = page_size
        self._still = Stillness()

    def judge(self, look: Look) -> Verdict | None:
        """Return what has become of the page, or None while it is still coming.

        A full page is ready at once. Another one is when it has loaded and the number of its
        items has stood still for a moment: a script may draw more. So slowly as to wait for all
        that a page refers to, but no longer than an empty page would be waited for.
        """
        if not look.is_parsed:
            return None
        if look.failure:
            return Verdict.FAILED
        count = look.counts[ITEMS]
        still = self._still.seconds((look.origin, look.state, count))
        if self._page_size is not None and count >= self._page_size:
            return Verdict.READY
        if count:
            settle = self._limits.settle_s if look.is_loaded else self._limits.empty_after_s
            return Verdict.READY if still >= settle else None
        is_empty = look.is_loaded and still >= self._limits.empty_after_s
        return Verdict.EMPTY if is_empty else None
