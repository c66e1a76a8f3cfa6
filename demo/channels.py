"""Channels of the demo site: 137 unless it is asked for more, the same at every start."""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from types import MappingProxyType

from demo import sample_text
from demo.edge_cases import apply_edge_case
from demo.records import Channel, Details, Stats, Video

#: Three pages of 50, of which the last one is not full.
COUNT = 137

#: Number of videos of each channel, repeated: zero to nine, and exactly 300 on a page of 50.
_VIDEO_COUNTS = (6, 9, 5, 8, 0, 7, 9, 6, 1, 9, 7, 4, 8, 3, 9, 6, 2, 9, 7, 5)

_THOUSAND = 1_000
_MILLION = 1_000_000


@cache
def all_channels(count: int = COUNT) -> tuple[Channel, ...]:
    """Return channels, newest first.

    Args:
        count: Their number; the first 137 are always the same, and the others repeat them under
            other ids.
    """
    first = tuple(
        apply_edge_case(_make_channel(position), position) for position in range(min(count, COUNT))
    )
    others = (
        replace(first[position % COUNT], id=_make_id("channel", position, 22))
        for position in range(COUNT, count)
    )
    return (*first, *others)


def find_channel(channel_id: str) -> Channel | None:
    """Return the channel with this YouTube id; None if it does not exist."""
    return next((channel for channel in all_channels() if channel.id == channel_id), None)


def _by_subscribers(count: int) -> tuple[Channel, ...]:
    return tuple(sorted(all_channels(count), key=lambda channel: channel.subscriber_count))


#: This number of channels in each order of the list, by the name of the order.
ORDERS: MappingProxyType[str, Callable[[int], tuple[Channel, ...]]] = MappingProxyType(
    {
        "DateDESC": all_channels,
        "DateASC": lambda count: all_channels(count)[::-1],
        "SubscribersDESC": lambda count: _by_subscribers(count)[::-1],
        "SubscribersASC": _by_subscribers,
    }
)

DEFAULT_ORDER = "DateDESC"


def format_number(number: int) -> str:
    """Format a number as the site does: `981`, `2k`, `149.5k`, `1.2M`."""
    if number < _THOUSAND:
        return str(number)
    if number < _MILLION:
        return f"{number / _THOUSAND:.1f}".removesuffix(".0") + "k"
    return f"{number / _MILLION:.1f}".removesuffix(".0") + "M"


def _make_id(kind: str, number: int, length: int) -> str:
    """Return an id of YouTube's alphabet, always the same for a kind and a number."""
    digest = hashlib.sha256(f"{kind} {number}".encode()).digest()
    return base64.urlsafe_b64encode(digest).decode()[:length]


def _make_channel(position: int) -> Channel:
    first_words, second_words = sample_text.NAMES[position % len(sample_text.NAMES)]
    combination = position // len(sample_text.NAMES)
    first_word = first_words[combination % len(first_words)]
    second_word = second_words[combination // len(first_words)]
    subscribers = ((position * 7919 + 1234) % 9973) ** 2 // 70 + position
    return Channel(
        id="UC" + _make_id("channel", position, 22),
        name=f"{first_word} {second_word}",
        handle=f"@canal-{position:03}",
        country=sample_text.COUNTRIES[position * 3 % 7 + position % 4],
        subscribers=format_number(subscribers),
        subscriber_count=subscribers,
        is_verified=position % 3 == 0,
        is_monetized=position // 2 % 2 == 0,
        categories=sample_text.CATEGORIES[position % len(sample_text.CATEGORIES)],
        stats=_make_stats(position, subscribers),
        videos=tuple(
            _make_video(position, number)
            for number in range(_VIDEO_COUNTS[position % len(_VIDEO_COUNTS)])
        ),
        details=_make_details(position, subscribers),
    )


def _make_stats(position: int, subscribers: int) -> Stats:
    videos = position * 37 % 400 + 10
    total = subscribers * 74 + 981
    return Stats(
        total_views=format_number(total),
        views_last_60_days=format_number(total // 11),
        average_views_per_video=format_number(total // videos),
        time_since_first_video=f"há {position % 11 + 2} anos",
        total_videos=str(videos),
        outlier_score=f"{position * 13 % 90 + 1}×",  # noqa: RUF001 - the character that the site shows
    )


def _make_video(position: int, number: int) -> Video:
    serial = position * 10 + number
    return Video(
        id=_make_id("video", serial, 11),
        title=f"{sample_text.TITLES[serial * 7 % len(sample_text.TITLES)]} #{number + 1}",
        duration=None if serial % 9 == 0 else f"{serial % 14}:{serial * 17 % 60:02}",
        views=format_number(serial * 6151 % 99991),
        comments=str(serial * 31 % 400),
        uploaded_time=sample_text.UPLOADED[serial % len(sample_text.UPLOADED)],
    )


def _make_details(position: int, subscribers: int) -> Details:
    dollars = subscribers % 900 + 10
    return Details(
        keywords=sample_text.KEYWORDS[: position % 8],
        subjects=sample_text.SUBJECTS[position % 3 : 5 - position % 4],
        niches=sample_text.NICHES[: position % 4],
        views_30_days=f"{subscribers % 99_999 / 100:.2f}k" if position % 5 else None,
        revenue_30_days=f"${dollars},00 - ${dollars * 3},00" if position % 6 else None,
    )
