"""The items that a scrape of a list page must give, written from the records.

No page is read for it: `python -m demo.golden > tests/golden/tubehunt-50.json`.
"""

import json
import sys
from typing import Any

from demo.channels import all_channels
from demo.records import Channel, Video

#: A channel has up to nine videos; a result holds the first six.
RECENT_VIDEOS = 6


def expected_page(size: int = 50) -> list[dict[str, Any]]:
    """Return the items of the first list page in the default order."""
    return [expected_item(channel) for channel in all_channels()[:size]]


def expected_item(channel: Channel) -> dict[str, Any]:
    """Return one channel as the result of a scrape has it: texts as shown, missing ones null."""
    stats = channel.stats
    return {
        "channel_name": _text(channel.name),
        "channel_link": channel.link,
        "channel_handle": _text(channel.handle),
        "country": _text(channel.country),
        "subscribers": _text(channel.subscribers),
        "is_verified": channel.is_verified,
        "is_monetized": channel.is_monetized,
        "categories": _parts(channel.categories),
        "total_views": _text(stats.total_views),
        "views_last_60_days": _text(stats.views_last_60_days),
        "average_views_per_video": _text(stats.average_views_per_video),
        "time_since_first_video": _text(stats.time_since_first_video),
        "total_videos": _text(stats.total_videos),
        "outlier_score": _text(stats.outlier_score),
        "recent_videos": [_expected_video(video) for video in channel.videos[:RECENT_VIDEOS]],
    }


def _expected_video(video: Video) -> dict[str, Any]:
    return {
        "title": _text(video.title),
        "video_link": video.link if video.has_link else None,
        "thumbnail_url": video.thumbnail if video.has_thumbnail else None,
        "duration": _text(video.duration),
        "views": _text(video.views),
        "comments": _text(video.comments),
        "uploaded_time": _text(video.uploaded_time),
    }


def _text(text: str | None) -> str | None:
    return " ".join((text or "").split()) or None


def _parts(text: str | None) -> list[str]:
    return [part for piece in (text or "").split(",") if (part := _text(piece))]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(expected_page(), ensure_ascii=False, indent=2) + "\n")
