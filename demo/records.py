"""Records of channels and their videos."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Video:
    """Video on a channel's card; `None` omits the element.

    If `views`, `comments` and `uploaded_time` are all `None`, the line is omitted.
    """

    id: str
    title: str | None
    duration: str | None
    views: str | None
    comments: str | None
    uploaded_time: str | None
    has_link: bool = True
    has_thumbnail: bool = True

    @property
    def link(self) -> str:
        """URL of the video at YouTube; it is never requested."""
        return f"https://youtube.com/watch?v={self.id}"

    @property
    def thumbnail(self) -> str:
        """Path of the image; the real site uses i.ytimg.com, but tests work offline."""
        return f"/img/vi/{self.id}/mqdefault.jpg"


@dataclass(frozen=True, slots=True)
class Stats:
    """The six stats of a card in their order; `None` omits the value."""

    total_views: str | None
    views_last_60_days: str | None
    average_views_per_video: str | None
    time_since_first_video: str | None
    total_videos: str | None
    outlier_score: str | None


@dataclass(frozen=True, slots=True)
class Details:
    """Details on the channel's own page; an empty list or `None` omits the block."""

    keywords: tuple[str, ...]
    subjects: tuple[str, ...]
    niches: tuple[str, ...]
    views_30_days: str | None
    revenue_30_days: str | None


@dataclass(frozen=True, slots=True)
class Channel:
    """Channel; `None` omits the element, an empty text leaves it empty."""

    id: str
    name: str
    handle: str | None
    country: str | None
    subscribers: str | None
    #: Sort key of the list; the card shows `subscribers`.
    subscriber_count: int
    is_verified: bool
    is_monetized: bool
    #: Text of the badge: names separated by commas; `None` omits the badge.
    categories: str | None
    stats: Stats
    videos: tuple[Video, ...]
    details: Details
    #: Whether the link contains the host, as some links of the real site do.
    has_absolute_link: bool = False

    @property
    def link(self) -> str:
        """`href` of the channel's name."""
        host = "https://app.tubehunt.io" if self.has_absolute_link else ""
        return f"{host}/channel/{self.id}"

    @property
    def has_line(self) -> bool:
        """Whether the line below the name is shown."""
        return not (self.handle is None and self.country is None and self.subscribers is None)
