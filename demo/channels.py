"""The channels of the stand-in site: the same 137 at every start."""

import base64
import hashlib
from collections.abc import Callable
from functools import cache
from types import MappingProxyType

from demo import sample_text
from demo.edge_cases import make_edge_case
from demo.records import Channel, Details, Stats, Video

#: Three pages of 50, the last of them short.
COUNT = 137

#: How many videos the channels have, in turn: none to nine, and exactly 300 on a page of 50.
_VIDEO_COUNTS = (6, 9, 5, 8, 0, 7, 9, 6, 1, 9, 7, 4, 8, 3, 9, 6, 2, 9, 7, 5)

_THOUSAND = 1_000
_MILLION = 1_000_000


@cache
def all_channels() -> tuple[Channel, ...]:
    """Return every channel, the newest first."""
    return tuple(make_edge_case(_make_channel(place), place) for place in range(COUNT))


def find_channel(channel_id: str) -> Channel | None:
    """Return the channel with this YouTube id, if there is one."""
    return next((channel for channel in all_channels() if channel.id == channel_id), None)


def _by_subscribers() -> tuple[Channel, ...]:
    return tuple(sorted(all_channels(), key=lambda channel: channel.subscriber_count))


#: What the list can be ordered by: how the channels then follow each other.
ORDERS: MappingProxyType[str, Callable[[], tuple[Channel, ...]]] = MappingProxyType(
    {
        "DateDESC": all_channels,
        "DateASC": lambda: all_channels()[::-1],
        "SubscribersDESC": lambda: _by_subscribers()[::-1],
        "SubscribersASC": _by_subscribers,
    }
)

DEFAULT_ORDER = "DateDESC"


def short_number(number: int) -> str:
    """Write a number as the site does: `981`, `2k`, `149.5k`, `1.2M`."""
    if number < _THOUSAND:
        return str(number)
    if number < _MILLION:
        return f"{number / _THOUSAND:.1f}".removesuffix(".0") + "k"
    return f"{number / _MILLION:.1f}".removesuffix(".0") + "M"


def _make_id(kind: str, number: int, length: int) -> str:
    """Make an id of YouTube's alphabet, always the same for a kind and a number."""
    digest = hashlib.sha256(f"{kind} {number}".encode()).digest()
    return base64.urlsafe_b64encode(digest).decode()[:length]


def _make_channel(place: int) -> Channel:
    firsts, seconds = sample_text.NAMES[place % len(sample_text.NAMES)]
    turn = place // len(sample_text.NAMES)
    name = f"{firsts[turn % len(firsts)]} {seconds[turn // len(firsts)]}"
    subscribers = ((place * 7919 + 1234) % 9973) ** 2 // 70 + place
    return Channel(
        id="UC" + _make_id("channel", place, 22),
        name=name,
        handle=f"@canal-{place:03}",
        country=sample_text.COUNTRIES[place * 3 % 7 + place % 4],
        subscribers=short_number(subscribers),
        subscriber_count=subscribers,
        is_verified=place % 3 == 0,
        is_monetized=place // 2 % 2 == 0,
        categories=sample_text.CATEGORIES[place % len(sample_text.CATEGORIES)],
        stats=_make_stats(place, subscribers),
        videos=tuple(
            _make_video(place, number)
            for number in range(_VIDEO_COUNTS[place % len(_VIDEO_COUNTS)])
        ),
        details=_make_details(place, subscribers),
    )


def _make_stats(place: int, subscribers: int) -> Stats:
    videos = place * 37 % 400 + 10
    total = subscribers * 74 + 981
    return Stats(
        total_views=short_number(total),
        views_last_60_days=short_number(total // 11),
        average_views_per_video=short_number(total // videos),
        time_since_first_video=f"há {place % 11 + 2} anos",
        total_videos=str(videos),
        outlier_score=f"{place * 13 % 90 + 1}×",  # noqa: RUF001 - the sign that the site shows
    )


def _make_video(place: int, number: int) -> Video:
    serial = place * 10 + number
    return Video(
        id=_make_id("video", serial, 11),
        title=f"{sample_text.TITLES[serial * 7 % len(sample_text.TITLES)]} #{number + 1}",
        duration=None if serial % 9 == 0 else f"{serial % 14}:{serial * 17 % 60:02}",
        views=short_number(serial * 6151 % 99991),
        comments=str(serial * 31 % 400),
        uploaded_time=sample_text.UPLOADED[serial % len(sample_text.UPLOADED)],
    )


def _make_details(place: int, subscribers: int) -> Details:
    dollars = subscribers % 900 + 10
    return Details(
        keywords=sample_text.KEYWORDS[: place % 8],
        subjects=sample_text.SUBJECTS[place % 3 : 5 - place % 4],
        niches=sample_text.NICHES[: place % 4],
        views_30_days=f"{subscribers % 99_999 / 100:.2f}k" if place % 5 else None,
        revenue_30_days=f"${dollars},00 - ${dollars * 3},00" if place % 6 else None,
    )
