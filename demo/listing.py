"""One page of the channel list: what was asked for, and which channels stand on it."""

from collections.abc import Mapping
from dataclasses import dataclass

from demo.channels import COUNT, DEFAULT_ORDER, ORDERS
from demo.faults import Faults
from demo.records import Channel

PAGE_SIZES = (10, 50)

#: How many channels a page repeats from the one before while the list shifts.
SHIFT = 3

#: How many channels a page has that is short on a bad day.
SHORT = 4


@dataclass(frozen=True, slots=True)
class Listing:
    """A list page: equal ones look the same, so that a page is drawn once."""

    page: int
    order: str
    size: int
    is_shifting: bool = False
    is_empty: bool = False
    card_class: str = "channel-card"
    name_class: str = "fw-semibold"
    late_cards_ms: int = 0
    late_cards_every_ms: int = 100
    lacks_stat: bool = False
    has_frame: bool = False
    is_short: bool = False

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels on the page; none past the last."""
        if self.is_empty:
            return ()
        step = self.size - SHIFT if self.is_shifting else self.size
        start = (self.page - 1) * step
        return ORDERS[self.order]()[start : start + (SHORT if self.is_short else self.size)]

    @property
    def page_count(self) -> int:
        """How many pages the list has, as its page links tell."""
        return -(-COUNT // self.size)


def parse_listing(query: Mapping[str, str], bad: Faults) -> Listing:
    """Read a list page's query; what the site does not know counts as not given."""
    order = query.get("OrderBy", DEFAULT_ORDER)
    size = _whole_number(query.get("ChangePerPage"))
    page = max(1, _whole_number(query.get("page")))
    size = size if size in PAGE_SIZES else PAGE_SIZES[0]
    if bad.last_page_repeats:
        page = min(page, -(-COUNT // size))
    is_renamed = bad.renamed_card is not None and page >= bad.renamed_card
    return Listing(
        page=page,
        order=order if order in ORDERS else DEFAULT_ORDER,
        size=size,
        is_shifting=bad.shifting,
        is_empty=bad.empty_first_page and page == 1,
        card_class="canal-card" if is_renamed else "channel-card",
        name_class="fw-bolder" if bad.renamed_field else "fw-semibold",
        late_cards_ms=bad.late_cards_ms,
        late_cards_every_ms=bad.late_cards_every_ms,
        lacks_stat=bad.missing_stat_card,
        has_frame=bad.slow_frame_ms > 0,
        is_short=page == bad.short_page,
    )


def _whole_number(text: str | None) -> int:
    return int(text) if text is not None and text.isascii() and text.isdigit() else 0
