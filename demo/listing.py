"""Page of the channel list: the parsed query, and the channels on it."""

from collections.abc import Mapping
from dataclasses import dataclass

from demo.channels import COUNT, DEFAULT_ORDER, ORDERS
from demo.faults import Faults
from demo.records import Channel

PAGE_SIZES = (10, 50)

#: Number of channels that a page repeats from the previous one with the fault `shifting`.
SHIFT = 3

#: Number of channels on the page of the fault `short_page`.
SHORT = 4


@dataclass(frozen=True, slots=True)
class Listing:
    """Everything that determines the HTML of a list page; hashable, so that pages are cached."""

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
    count: int = COUNT
    gallery: int = 0
    #: An order that is not known, as links to other pages repeat it.
    unknown_order: str = ""

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Channels on the page; empty after the last page."""
        if self.is_empty:
            return ()
        step = self.size - SHIFT if self.is_shifting else self.size
        start = (self.page - 1) * step
        end = start + (SHORT if self.is_short else self.size)
        return ORDERS[self.order](self.count)[start:end]

    @property
    def page_count(self) -> int:
        """Number of pages in the pagination links."""
        return -(-self.count // self.size)


def parse_listing(query: Mapping[str, str], faults: Faults) -> Listing:
    """Parse the query of a list page; invalid values count as missing."""
    order = query.get("OrderBy", DEFAULT_ORDER)
    size = _parse_integer(query.get("ChangePerPage"))
    page = max(1, _parse_integer(query.get("page")))
    size = size if size in PAGE_SIZES else PAGE_SIZES[0]
    if faults.last_page_repeats:
        page = min(page, -(-faults.channels // size))
    is_renamed = faults.renamed_card is not None and page >= faults.renamed_card
    return Listing(
        page=page,
        order=order if order in ORDERS else DEFAULT_ORDER,
        size=size,
        is_shifting=faults.shifting,
        is_empty=faults.empty_first_page and page == 1,
        card_class="canal-card" if is_renamed else "channel-card",
        name_class="fw-bolder" if faults.renamed_field else "fw-semibold",
        late_cards_ms=faults.late_cards_ms,
        late_cards_every_ms=faults.late_cards_every_ms,
        lacks_stat=faults.missing_stat_card,
        has_frame=faults.slow_frame_ms > 0,
        is_short=page == faults.short_page,
        count=faults.channels,
        gallery=faults.gallery,
        unknown_order="" if order in ORDERS else order,
    )


def _parse_integer(text: str | None) -> int:
    return int(text) if text is not None and text.isascii() and text.isdigit() else 0
