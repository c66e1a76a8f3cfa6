"""Expected items of a scrape, derived from the records without reading a page.

Run `python -m demo.golden > tests/golden/tubehunt-50.json` to update the golden file.
"""

import json
import sys
from typing import Any

from demo.channels import all_channels
from demo.records import Channel, Video

#: Number of videos in an item; a channel has up to nine.
RECENT_VIDEOS = 6


def expected_items(count: int = 50, *, skip: int = 0) -> list[dict[str, Any]]:
    """Return consecutive items in the default order of the list.

    Args:
        count: Number of items.
        skip: Number of items before the first one.
    """
    return [expected_item(channel) for channel in all_channels()[skip : skip + count]]


def expected_item(channel: Channel) -> dict[str, Any]:
    """Return the item of a channel: texts as displayed, null for missing ones."""
    stats = channel.stats
    return {
        "channel_name": _normalize(channel.name),
        "channel_link": channel.link,
        "channel_handle": _normalize(channel.handle),
        "country": _normalize(channel.country),
        "subscribers": _normalize(channel.subscribers),
        "is_verified": channel.is_verified,
        "is_monetized": channel.is_monetized,
        "categories": _split(channel.categories),
        "total_views": _normalize(stats.total_views),
        "views_last_60_days": _normalize(stats.views_last_60_days),
        "average_views_per_video": _normalize(stats.average_views_per_video),
        "time_since_first_video": _normalize(stats.time_since_first_video),
        "total_videos": _normalize(stats.total_videos),
        "outlier_score": _normalize(stats.outlier_score),
        "recent_videos": [_expected_video(video) for video in channel.videos[:RECENT_VIDEOS]],
    }


def expected_details(channel: Channel) -> dict[str, Any]:
    """Return what the page of a channel shows in addition."""
    details = channel.details
    return {
        "channel_link": channel.link,
        "keywords": list(details.keywords),
        "subjects": list(details.subjects),
        "niches": list(details.niches),
        "views_30_days": _normalize(details.views_30_days),
        "revenue_30_days": _normalize(details.revenue_30_days),
    }


def _expected_video(video: Video) -> dict[str, Any]:
    return {
        "title": _normalize(video.title),
        "video_link": video.link if video.has_link else None,
        "thumbnail_url": video.thumbnail if video.has_thumbnail else None,
        "duration": _normalize(video.duration),
        "views": _normalize(video.views),
        "comments": _normalize(video.comments),
        "uploaded_time": _normalize(video.uploaded_time),
    }


def _normalize(text: str | None) -> str | None:
    return " ".join((text or "").split()) or None


def _split(text: str | None) -> list[str]:
    return [part for piece in (text or "").split(",") if (part := _normalize(piece))]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(expected_items(), ensure_ascii=False, indent=2) + "\n")
