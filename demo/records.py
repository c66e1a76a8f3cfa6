"""What the stand-in site knows of a channel and of its videos."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Video:
    """One video, as its channel's card shows it; `None` leaves the element out.

    A line of which `views`, `comments` and `uploaded_time` are all `None` is left out as a whole.
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
        """The video's address at YouTube; nobody here follows it."""
        return f"https://youtube.com/watch?v={self.id}"

    @property
    def thumbnail(self) -> str:
        """A path of this site, where the real one has i.ytimg.com: no test loads the internet."""
        return f"/img/vi/{self.id}/mqdefault.jpg"


@dataclass(frozen=True, slots=True)
class Stats:
    """The six figures of a card, in the order in which it shows them; `None` is a card without."""

    total_views: str | None
    views_last_60_days: str | None
    average_views_per_video: str | None
    time_since_first_video: str | None
    total_videos: str | None
    outlier_score: str | None


@dataclass(frozen=True, slots=True)
class Details:
    """What only the channel's own page shows; an empty list or `None` leaves the block out."""

    keywords: tuple[str, ...]
    subjects: tuple[str, ...]
    niches: tuple[str, ...]
    views_30_days: str | None
    revenue_30_days: str | None


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel; a `None` leaves its element out, an empty text leaves the element empty."""

    id: str
    name: str
    handle: str | None
    country: str | None
    subscribers: str | None
    #: What the list is sorted by; the card shows `subscribers`.
    subscriber_count: int
    is_verified: bool
    is_monetized: bool
    #: As the badge reads, names parted by commas; `None` is a card without the badge.
    categories: str | None
    stats: Stats
    videos: tuple[Video, ...]
    details: Details
    #: The real site links some channels with its host before the path.
    has_absolute_link: bool = False

    @property
    def link(self) -> str:
        """The `href` of the channel's name."""
        host = "https://app.tubehunt.io" if self.has_absolute_link else ""
        return f"{host}/channel/{self.id}"

    @property
    def has_line(self) -> bool:
        """Whether the line under the name has anything to show."""
        return not (self.handle is None and self.country is None and self.subscribers is None)
